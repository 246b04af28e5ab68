#!/bin/sh
# Makes the two built-in fonts from packages of Debian 12: apt-get install fonttools unicode-data
#   NotoSansSC-Medium-subset.otf   of fonts-noto-cjk-extra: Latin, punctuation, all of GB/T 2312 and all 8,105 characters of
#                                  the table of general standard characters of 2013 (Unihan's kTGH), which hold those of personal names
#   NotoSerifTibetan-subset.ttf    of fonts-noto-core: Tibetan with what shapes it
# The same packages give the same bytes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq fonts-noto-cjk-extra fonts-noto-core
for package in *.deb; do dpkg-deb --extract "$package" .; done
/usr/bin/python3 - >unicodes.txt <<'PY'
import bz2
chars = {chr(c) for first, last in ((0x20, 0x7e), (0xa0, 0x17f), (0x2010, 0x2027), (0x2030, 0x205e), (0xff01, 0xff5e)) for c in range(first, last + 1)}
chars |= set("←→↑↓✓✕□€№￥〇〜™㊣")  # 〇 stands in names and years
chars |= {chr(c) for c in range(0x338e, 0x33d6)}  # units as ㎡
for row in range(1, 88):
    for cell in range(1, 95):
        try:
            chars.add(bytes([0xA0 + row, 0xA0 + cell]).decode("gb2312"))
        except UnicodeDecodeError:
            pass
for part in ("DictionaryIndices", "DictionaryLikeData", "OtherMappings"):  # where the property stands depends on the version
    for line in bz2.open(f"/usr/share/unicode/Unihan_{part}.txt.bz2", "rt", encoding="utf-8"):
        if "\tkTGH\t" in line and line.startswith("U+"):
            chars.add(chr(int(line.split("\t")[0][2:], 16)))
print(",".join("U+%04X" % ord(c) for c in sorted(chars)))
PY
cjk=usr/share/fonts/opentype/noto/NotoSansCJK-Medium.ttc
face=$(/usr/bin/python3 -c "
from fontTools.ttLib import TTCollection
print([f['name'].getDebugName(4) for f in TTCollection('$cjk')].index('Noto Sans CJK SC Medium'))")
SOURCE_DATE_EPOCH=0 pyftsubset "$cjk" --font-number="$face" --unicodes-file=unicodes.txt --layout-features='' --no-hinting \
	--name-IDs='*' --notdef-outline --no-recalc-timestamp --output-file="$here/NotoSansSC-Medium-subset.otf"
SOURCE_DATE_EPOCH=0 pyftsubset usr/share/fonts/truetype/noto/NotoSerifTibetan-Bold.ttf --unicodes='U+0F00-0FFF,U+200C,U+200D,U+25CC' --no-hinting \
	--layout-features='*' --name-IDs='*' --no-recalc-timestamp --output-file="$here/NotoSerifTibetan-subset.ttf"
