#!/bin/sh
# Puts packages into an apt repository, a folder that any web server may serve, and signs it:
#
#   publish.sh FOLDER CHANNEL KEY [PACKAGE.deb …]
#
# CHANNEL is what boxes name in update.channel, as stable; KEY the OpenPGP key that signs, as gpg knows it. All versions that were published stay:
# a box needs the one that it has for the way back. It needs Debian's packages apt-utils and gpg. Run it where the key is; the centre needs no more
# than the folder.
set -eu

usage() {
	sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
	exit 2
}
[ $# -ge 3 ] || usage
folder=$1 channel=$2 key=$3
shift 3
case $channel in
'' | *[!a-z0-9.-]*) usage ;;
esac

pool=$folder/pool/$channel
dist=$folder/dists/$channel
mkdir -p "$pool" "$dist"
for deb in "$@"; do
	# shellcheck disable=SC2016
	name=$(dpkg-deb --show --showformat='${Package}_${Version}_${Architecture}.deb' "$deb")
	if [ -e "$pool/$name" ] && ! cmp -s "$deb" "$pool/$name"; then
		echo "publish.sh: $name was published before, and is another file; give the package a version of its own" >&2
		exit 1
	fi
	cp "$deb" "$pool/$name.new"
	mv "$pool/$name.new" "$pool/$name"
done

work=$(mktemp -d "$folder/.publish.XXXXXX")
trap 'rm -rf "$work"' EXIT
architectures=$(for deb in "$pool"/*.deb; do dpkg-deb --field "$deb" Architecture; done | sort -u | tr '\n' ' ')
for arch in $architectures; do
	mkdir -p "$work/main/binary-$arch"
	(cd "$folder" && apt-ftparchive --arch "$arch" packages "pool/$channel") >"$work/main/binary-$arch/Packages"
	gzip -9nk "$work/main/binary-$arch/Packages"
done
apt-ftparchive -o "APT::FTPArchive::Release::Origin=haochaping" -o "APT::FTPArchive::Release::Codename=$channel" \
	-o "APT::FTPArchive::Release::Suite=$channel" -o "APT::FTPArchive::Release::Architectures=$architectures" \
	-o "APT::FTPArchive::Release::Components=main" release "$work" >"$work.release"
mv "$work.release" "$work/Release"
gpg --batch --yes --local-user "$key" --digest-algo SHA512 --clearsign --output "$work/InRelease" "$work/Release"
# The indices first and the signature last: a box that reads meanwhile finds that they do not belong together, and comes back.
rm -rf "$dist/main.old"
[ ! -e "$dist/main" ] || mv "$dist/main" "$dist/main.old"
mv "$work/main" "$dist/main"
mv "$work/InRelease" "$dist/InRelease"
rm -rf "$dist/main.old"
echo "published in $dist: $(grep -h '^Version:' "$dist"/main/binary-*/Packages | sort -u | tr '\n' ' ')"
