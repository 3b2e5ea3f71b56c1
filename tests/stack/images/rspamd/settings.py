"""Rspamd's settings as Mailu makes them: file in local.d -> text. Variables are coerced here, as in Mailu."""

FORBIDDEN = """
ace ade adp apk appx appxbundle arj bat bin cab chm class cmd com cpl diagcab diagcfg diagpack dll ex ex_ exe hlp hta img ins iso isp jar jnlp
js jse lib lnk lzh mde msc msi msix msixbundle msp mst msu nsh ocx ovl pif ps1 r01 r14 r18 r25 scr sct shb shs sys vb vbe vbs vbscript vdl vhd
vxd wsc wsf wsh xll
"""

# Files that Mailu renders without looking for one of the same name in /overrides (and does not copy from there either).
CLOSED = ("local_subnet.map", "logging.inc", "options.inc", "redis.conf", "worker-controller.inc", "worker-fuzzy.inc", "worker-normal.inc", "worker-proxy.inc")

LOCAL = "(IS_LOCAL_DOMAIN_E | IS_LOCAL_DOMAIN_H)"
STRANGER = "!IS_LOCALLY_GENERATED & !MAILLIST"

OFFICE = "doc dot docx dotx docm dotm xls xlt xla xlsx xltx xlsm xltm xlam xlsb ppt pot pps ppa pptx potx ppsx ppam pptm potm ppsm slk"


def files(env):
    admin = f"http://{env['ADMIN_ADDRESS']}:8080/internal/rspamd"
    subnet, subnet6, relaynets = (env.get(name) or "" for name in ("SUBNET", "SUBNET6", "RELAYNETS"))
    macros = env.get("SCAN_MACROS")
    vault = f"""
use_vault = true;
vault_url = "{admin}/vault";
vault_token = "mailu";
try_fallback = false;
use_esld = false;
allow_username_mismatch = true;
"""
    rules = {
        "ANTISPOOF_NOAUTH": (
            "reject",
            f"{STRANGER} & ((IS_LOCAL_DOMAIN_E & MISSING_FROM) | (IS_LOCAL_DOMAIN_H & (R_DKIM_NA & R_SPF_NA & DMARC_NA & ARC_NA)))",
            "Rejected (anti-spoofing: noauth). Please setup DMARC with DKIM or SPF if you want to send emails from your domain from other servers.",
        ),
        "ANTISPOOF_DMARC_ENFORCE_LOCAL": (
            "reject",
            f"{STRANGER} & {LOCAL} & (DMARC_NA | DMARC_POLICY_SOFTFAIL | DMARC_POLICY_QUARANTINE | DMARC_POLICY_REJECT)",
            "Rejected (anti-spoofing: DMARC compliance is enforced for local domains, regardless of the policy setting)",
        ),
        "ANTISPOOF_AUTH_FAILED": ("reject", f"{STRANGER} & BLACKLIST_ANTISPOOF", "Rejected (anti-spoofing: auth-failed)"),
        "ANTIVIRUS_FLAGGED": ("reject", "CLAM_VIRUS | OLETOOLS_MACRO_MRAPTOR | OLETOOLS_MACRO_SUSPICIOUS", "Rejected (dangerous/malicious code detected)"),
        "ANTIVIRUS_FAILED": ("soft reject", "CLAM_VIRUS_FAIL | OLETOOLS_FAIL", "Please retry later (anti-virus/oletools not ready)"),
    }
    found = {
        "antivirus.conf": antivirus(env) if env.get("ANTIVIRUS") == "clamav" else "",
        "arc.conf": vault,
        "dkim_signing.conf": vault,
        "classifier-bayes.conf": "autolearn { spam_threshold = 6.0; ham_threshold = -0.5; check_balance = true; min_balance = 0.9; }\n",
        "composites.conf": COMPOSITES if macros else "",
        "external_services.conf": oletools(env) if macros else "",
        "external_services_group.conf": weights() if macros else "",
        "force_actions.conf": block("rules", *(
            f'{name} {{ action = "{action}"; expression = "{expression}"; message = "{message}"; }}' for name, (action, expression, message) in rules.items()
        )),
        "forbidden_file_extension.map": "\n".join(FORBIDDEN.split()) + "\n",
        "fuzzy_check.conf": FUZZY,
        "headers_group.conf": 'symbols = { "RCVD_NO_TLS_LAST" { weight = 0.0; } }\n',
        "history_redis.conf": f'servers = "{env["REDIS_ADDRESS"]}";\n',
        "local_subnet.map": f"{subnet}\n{subnet6}\n",
        "logging.inc": 'type = "console";\n',
        "metrics.conf": METRICS,
        "milter_headers.conf": MILTER,
        "multimap.conf": multimap(admin),
        "options.inc": f"local_networks = [{', '.join(filter(None, [subnet, subnet6, relaynets]))}];\n" + HERE,
        "redis.conf": f'servers = "{env["REDIS_ADDRESS"]}";\n',
        "whitelist.conf": block("rules", f'BLACKLIST_ANTISPOOF = {{ valid_dmarc = true; blacklist = true; domains = "{admin}/local_domains"; score = 0.0; }}'),
        "worker-controller.inc": f'type = "controller";\nbind_socket = "*:11334";\npassword = "mailu";\nsecure_ip = "{subnet}";\n'
        + (f'secure_ip = "{subnet6}";\n' if subnet6 else ""),
        "worker-fuzzy.inc": 'type = "fuzzy";\nbind_socket = "*:11335";\ncount = 1;\nbackend = "redis";\nexpire = 90d;\nallow_update = ["127.0.0.1"];\n',
        "worker-normal.inc": 'type = "normal";\nenabled = false;\n',
        "worker-proxy.inc": 'bind_socket = "*:11332";\nupstream "local" { default = yes; self_scan = yes; }\n',
    }
    for name in found:
        if name not in CLOSED and name != "forbidden_file_extension.map":
            found[name] += f'.include(try=true,priority=1,duplicate=merge) "/overrides/{name}"\n'
    return found


def block(name, *lines):
    return "\n".join([f"{name} {{", *(f"  {line}" for line in lines), "}"]) + "\n"


# Not Mailu's. Compiling all suffixes takes a processor for many seconds (see the Dockerfile). The list of local domains comes by HTTP:
# rspamd asks for it after this interval, usually 5 minutes, and until then takes no domain for a local one.
HERE = 'url_tld = "/usr/share/rspamd/few/suffixes.dat";\nmap_watch_interval = 5s;\n'

COMPOSITES = """
OLETOOLS_MACRO_MRAPTOR {
  expression = "(OLETOOLS_A & OLETOOLS_W) | (OLETOOLS_A & OLETOOLS_X) | (OLETOOLS_W & OLETOOLS_X)";
  message = "Rejected (malicious macro - mraptor)";
  policy = "leave";
  score = 20.0;
}
OLETOOLS_MACRO_SUSPICIOUS {
  expression = "OLETOOLS_A | OLETOOLS_FLAG | OLETOOLS_VBASTOMP";
  message = "Rejected (malicious macro)";
  policy = "leave";
  score = 20.0;
}
"""

FUZZY = """
rule "local" {
  servers = "localhost:11335";
  symbol = "LOCAL_FUZZY_UNKNOWN";
  mime_types = ["application/*"];
  algorithm = "mumhash";
  max_score = 20.0;
  read_only = no;
  skip_unknown = yes;
  fuzzy_map = {
    LOCAL_FUZZY_DENIED { flag = 11; max_score = 20.0; }
    LOCAL_FUZZY_PROB { flag = 12; max_score = 10.0; }
    LOCAL_FUZZY_WHITE { flag = 13; max_score = 2.0; }
  }
}
"""

METRICS = """
group "fuzzy" {
  max_score = 12.0;
  symbol "LOCAL_FUZZY_UNKNOWN" { weight = 5.0; }
  symbol "LOCAL_FUZZY_DENIED" { weight = 12.0; }
  symbol "LOCAL_FUZZY_PROB" { weight = 5.0; }
  symbol "LOCAL_FUZZY_WHITE" { weight = -2.1; }
}
"""

MILTER = """
use = ["x-spamd-bar", "x-spam-level", "x-virus", "authentication-results"];
authenticated_headers = ["authentication-results"];
skip_local = false;
skip_authenticated = false;
routines {
  authentication-results { add_smtp_user = false; }
  x-virus { symbols = ["CLAM_VIRUS", "FPROT_VIRUS", "JUST_EICAR"]; }
}
"""


def antivirus(env):
    action = 'action = "reject"; ' if env.get("ANTIVIRUS_ACTION") == "reject" else ""
    return (
        f'clamav {{ type = "clamav"; symbol = "CLAM_VIRUS"; servers = "{env["ANTIVIRUS_ADDRESS"]}:3310"; '
        f"scan_mime_parts = true; timeout = 60; retransmits = 10; {action}}}\n"
    )


def multimap(admin):
    domains = f"{admin}/local_domains"
    return f"""
IS_LOCAL_DOMAIN_H {{ type = "selector"; selector = "from('mime'):domain"; map = "{domains}"; }}
IS_LOCAL_DOMAIN_E {{ type = "selector"; selector = "from('smtp'):domain"; map = "{domains}"; }}
IS_LOCALLY_GENERATED {{ type = "ip"; map = ["/etc/rspamd/local.d/local_subnet.map"]; }}
FORBIDDEN_FILE_EXTENSION {{
  type = "filename";
  filter = "extension";
  map = ["/etc/rspamd/local.d/forbidden_file_extension.map"];
  symbol = "FORBIDDEN_FILE_EXTENSION";
  prefilter = true;
  action = "reject";
  message = "Forbidden attachment extension";
}}
"""


def oletools(env):
    # What starts by itself, what writes, what runs: fewer words than Mailu looks for, the same rules.
    return f"""
oletools {{
  servers = "{env['OLETOOLS_ADDRESS']}:11343";
  scan_mime_parts = true;
  extended = true;
  max_size = 3145728;
  timeout = 60.0;
  retransmits = 10;
  patterns {{
    OLETOOLS_MACRO_FOUND = '^.....M..$';
    OLETOOLS_AUTOEXEC = '^A....M..$';
    OLETOOLS_FLAG = '^.....MS.$';
    OLETOOLS_VBASTOMP = '^VBA Stomping$';
    OLETOOLS_A = '(?i)\\b(?:auto_?(?:exec|open|close|exit|new)|document_?(?:open|close|new)|workbook_(?:open|close|activate))\\b';
    OLETOOLS_W = '(?i)\\b(?:filecopy|kill|createtextfile|urldownloadtofilea?|savetofile|saveas|writetext|mkdir|rmdir)\\b';
    OLETOOLS_X = '(?i)\\b(?:shell|createobject|getobject|sendkeys|shellexecutea?|followhyperlink|createthread)\\b';
  }}
  mime_parts_filter_regex {{
    WORD = "application\\/(?:msword|vnd\\.ms-word.*)";
    EXCEL = "application\\/vnd\\.ms-excel.*";
    POINT = "application\\/vnd\\.ms-powerpoint.*";
    OPEN = "application\\/vnd\\.openxmlformats-officedocument.*";
  }}
  mime_parts_filter_ext {{ {' '.join(f'{name} = "{name}";' for name in OFFICE.split())} }}
}}
"""


def weights():
    zero = "MACRO_FOUND AUTOEXEC FLAG VBASTOMP A W X".split()
    return block("symbols =", '"OLETOOLS" { weight = 1.0; one_shot = true; }', *(f'"OLETOOLS_{name}" {{ weight = 0.0; one_shot = true; }}' for name in zero))
