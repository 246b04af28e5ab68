#!/bin/sh
# Makes NotoSansSC-Medium-subset.ttf from the npm package @expo-google-fonts/noto-sans-sc, version 0.4.3, with Debian's
# fonttools. The subset holds ASCII, the punctuation and symbols that the screens use, and the 3,755 characters of
# GB 2312 level 1; other characters come from a complete font on the machine.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent @expo-google-fonts/noto-sans-sc@0.4.3 >/dev/null
tar xzf expo-google-fonts-noto-sans-sc-0.4.3.tgz
python3 - >unicodes.txt <<'PY'
chars = {chr(c) for c in range(0x20, 0x7f)} | set("·—‘’“”…、。〈〉《》「」『』【】~¥×÷°→←↑↓✓✕□")
chars |= {chr(c) for c in range(0xFF01, 0xFF5F)}
for row in range(16, 56):
    for cell in range(1, 95):
        try:
            chars.add(bytes([0xA0 + row, 0xA0 + cell]).decode("gb2312"))
        except UnicodeDecodeError:
            pass
print(",".join("U+%04X" % ord(c) for c in sorted(chars)))
PY
pyftsubset package/500Medium/NotoSansSC_500Medium.ttf --unicodes-file=unicodes.txt --layout-features='' --no-hinting \
	--desubroutinize --name-IDs='*' --notdef-outline --output-file="$here/NotoSansSC-Medium-subset.ttf"
cp package/LICENSE_FONT "$here/OFL.txt"
