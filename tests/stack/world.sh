#!/bin/sh
# The world around the engine, inside the namespaces of engine.sh.
#   world.sh network    before the engine: this host's public address, and its resolver
#   world.sh up         the container `world_outside`: name servers from the root down, a mail server elsewhere, a certificate authority
# The host is 198.51.100.1. Everything else on 198.51.100.0/24 is the container; nothing is translated between the two.
set -eu
case $1 in
    network)
        ip link set lo up
        # A Docker network of type macvlan has its containers on the far end of this cable.
        ip link add out0 type veth peer name internet
        ip address add 198.51.100.1/24 dev out0
        ip link set out0 up
        ip link set internet up
        ip route add default via 198.51.100.254
        # Not over the link that /etc/resolv.conf may be, but over what it leads to.
        printf 'nameserver 198.51.100.53\noptions timeout:2 attempts:5\n' >/run/resolv.conf
        mount --bind /run/resolv.conf "$(readlink -f /etc/resolv.conf)"
        ;;
    up)
        docker network create -d macvlan -o parent=internet --subnet 198.51.100.0/24 --gateway 198.51.100.254 internet >/dev/null
        docker run -d --name world_outside --hostname mx.outside.test --restart always --network internet --ip 198.51.100.10 \
            --cap-add NET_ADMIN --tmpfs /run mailu-stack/outside >/dev/null
        tries=0
        until docker exec world_outside test -e /run/ready 2>/dev/null; do
            tries=$((tries + 1))
            if [ $tries -gt 300 ] || [ "$(docker inspect -f '{{.RestartCount}}' world_outside)" -gt 1 ]; then
                echo "the world did not start:" >&2
                docker logs --tail 40 world_outside >&2
                exit 1
            fi
            sleep 0.2
        done
        ;;
    *) sed -n '2,4s/^# *//p' "$0" >&2; exit 2 ;;
esac
