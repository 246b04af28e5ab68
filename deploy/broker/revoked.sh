#!/bin/sh
# Brings the centre's list of revoked certificates to a broker elsewhere, and has it read it when somebody was added to it:
#
#   revoked.sh https://enrol.example.com:8443/revoked.crl /etc/mosquitto/certs systemctl restart mosquitto
#
# It writes revoked.pem into the folder, where root.pem is. haochaping-revoked.timer runs it each 15 seconds, so that a box that was revoked
# is put out within a minute. A list that cannot be had or read changes nothing; one that the broker has gone by for two days is read anew,
# since it would be believed for seven. Needs curl and openssl.
set -eu
url=$1 folder=$2
shift 2
new=$(mktemp "$folder/revoked.XXXXXX")
trap 'rm -f "$new" "$new.der"' EXIT
curl --fail --silent --show-error --max-time 10 --cacert "$folder/root.pem" --output "$new.der" "$url"
openssl crl -inform DER -in "$new.der" -out "$new"
said=$(openssl crl -in "$new" -noout -CAfile "$folder/root.pem" 2>&1) || { echo "$said" >&2; exit 1; }
case $said in *"verify OK"*) ;; *) echo "revoked.sh: the list is not signed by the centre: $said" >&2; exit 1 ;; esac
serials() { openssl crl -in "$1" -noout -text | sed -n 's/^ *Serial Number: *//p' | sort; }
chmod 644 "$new"
sync "$new" # a power cut must not leave an empty list, by which mosquitto does not start
mv "$new" "$folder/revoked.pem"
read=$folder/revoked.read # what the broker has read last
if [ -f "$read" ] && [ -z "$(find "$read" -mmin +2880)" ] && [ "$(serials "$read")" = "$(serials "$folder/revoked.pem")" ]; then
	exit 0
fi
"$@"
cp "$folder/revoked.pem" "$read"
