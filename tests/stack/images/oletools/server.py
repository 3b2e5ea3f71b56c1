#!/usr/bin/env python3
"""Answers rspamd as olefy does. A document has macros here if `Attribute VB_Name` stands in it (for a zip: in a file in it)."""
import io
import json
import logging
import re
import socketserver
import zipfile

import standin

WORDS = {
    "AutoExec": rb"\b(auto_?open|auto_?exec|auto_?close|document_open|workbook_open)\b",
    "Suspicious": rb"\b(shell|createobject|kill|filecopy|savetofile|urldownloadtofilea?|sendkeys)\b",
}


class Handler(socketserver.StreamRequestHandler):
    timeout = 60

    def handle(self):
        first = self.rfile.readline()
        if first.strip() == b"PING":
            self.wfile.write(b"PONG")
            return
        if not first.startswith(b"OLEFY/1."):
            self.answer([{"error": "Protocol error"}])
            return
        while self.rfile.readline().strip():
            pass
        document = self.rfile.read()
        if len(document) < 300:
            self.answer([{"error": "File too small"}])
            return
        self.answer(report(document))

    def answer(self, value):
        self.wfile.write(json.dumps(value).encode() + b"\t\n\n\t")


def texts(document):
    if not zipfile.is_zipfile(io.BytesIO(document)):
        return [document]
    with zipfile.ZipFile(io.BytesIO(document)) as archive:
        return [archive.read(name) for name in archive.namelist()]


def report(document):
    macros = [text for text in texts(document) if b"Attribute VB_Name" in text]
    found = [
        {"type": kind, "keyword": word.decode(), "description": ""}
        for kind, words in WORDS.items()
        for word in sorted({match.group(1) for text in macros for match in re.finditer(words, text, re.IGNORECASE)})
    ]
    logging.info("%d bytes, %d macros, %s", len(document), len(macros), [entry["keyword"] for entry in found])
    return [
        {"type": "MetaInformation", "script_name": "olevba", "version": "0.60.2"},
        {
            "type": "OpenXML", "file": "document", "json_conversion_successful": True, "analysis": found if macros else None,
            "macros": [{"code": text.decode("latin-1"), "ole_stream": "VBA/Module1", "vba_filename": "Module1.bas"} for text in macros],
        },
        {"type": "MetaInformation", "return_code": 0, "n_processed": 1},
    ]


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    standin.set_env()
    Server(("", 11343), Handler).serve_forever()
