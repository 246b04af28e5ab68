package keypad

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const head = "name=\"x\"\n"

// keysAToE sends a capital letter when a key goes down and the small one when it is let go.
const keysAToE = head + `[[frame]]
layout = "key=30-39|41-5a|61-7a"
code = "text"
keys = ["A", "B", "C", "D", "E"]
[[frame]]
kind = "release"
layout = "key=30-39|41-5a|61-7a"
code = "text"
keys = ["a", "b", "c", "d", "e"]
of = ["A", "B", "C", "D", "E"]
`

func TestReleasesAndHeartbeats(t *testing.T) {
	for name, c := range map[string]struct {
		profile string
		in      string
		want    []Read
	}{
		"a code of its own": {keysAToE, "AaBxb", []Read{{Kind: Key, Code: "A"}, {Kind: Release, Code: "A"}, {Kind: Key, Code: "B"},
			{Kind: Release, Code: "B"}}},
		"the same code": {head + "[[frame]]\nlayout='01 key'\n[[frame]]\nkind='release'\nlayout='f0 key'\n", "\x01\x05\xf0\x05",
			[]Read{{Kind: Key, Code: "0x05"}, {Kind: Release, Code: "0x05"}}},
		"one for all": {head + "[[frame]]\nlayout='key'\nkeys=['0x31']\n[[frame]]\nkind='release'\nlayout='00'\n", "1\x00",
			[]Read{{Kind: Key, Code: "0x31"}, {Kind: Release}}},
		"lines": {head + "[[frame]]\nlayout='text*1-6 0d'\nkeys=['down']\n[[frame]]\nkind='release'\nlayout='text*1-6 0d'\nkeys=['up']\n" +
			"of=['down']\n", "down\rother\rup\r", []Read{{Kind: Key, Code: "down"}, {Kind: Release, Code: "down"}}},
		"a heartbeat": {head + "[[frame]]\nlayout='key'\nkeys=['0x31']\n[[frame]]\nkind='heartbeat'\nlayout='aa any 55'\nevery='5s'\n",
			"\xaa1\x551\xaa2\x55", []Read{{Kind: Key, Code: "0x31"}}},
		"an answer": {head + "[[frame]]\nlayout='key'\nkeys=['0x31']\n[[frame]]\nkind='ignore'\nlayout='05'\nanswer='06'\n", "\x05",
			[]Read{{Kind: Ignored, Answer: []byte{6}}}},
		"a low number": {head + "[[frame]]\nkind='card'\nlayout='02 key*2 03'\ncode='decimal-low'\ndigits=6\n", "\x02\x01\x02\x03",
			[]Read{{Kind: Card, Code: "000513"}}},
		"no hex": {head + "[[frame]]\nkind='card'\nlayout='02 key*2 03'\ncode='decimal-hex'\n", "\x02xy\x03\x02fF\x03",
			[]Read{{Kind: Card, Code: "255"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, parsed(t, c.profile).NewDecoder().Feed([]byte(c.in))); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
		})
	}
	p := parsed(t, head+"[[frame]]\nlayout='key'\n[[frame]]\nkind='heartbeat'\nlayout='aa'\nevery='5s'\n")
	if p.HasReleases() || p.HeartbeatEvery() != 5*time.Second || !parsed(t, keysAToE).HasReleases() {
		t.Errorf("releases %t, a heartbeat each %s", p.HasReleases(), p.HeartbeatEvery())
	}
}

func TestReleasesRefused(t *testing.T) {
	const keyed = head + "[[frame]]\nlayout='key'\nkeys=['0x31']\n[[frame]]\n"
	for text, want := range map[string]string{
		keyed + "kind='release'\nlayout='key'\nkeys=['0x41']\n": "line 8: frame[1].keys: the profile x never reads " +
			"\"0x41\"",
		keyed + "kind='release'\nlayout='key'\nkeys=['0x41']\nof=['0x32']\n": "line 9: frame[1].of: the profile x never reads " +
			"\"0x32\"",
		keyed + "kind='release'\nlayout='key'\nkeys=['0x41']\nof=['0x31', '0x31']\n":        "line 9: frame[1].of: their number is wrong",
		keyed + "layout='01 key'\nof=[]\n":                                                  "line 7: frame[1].of: their number is wrong",
		keyed + "kind='ignore'\nlayout='01'\nevery='5s'\n":                                  "line 8: frame[1].every: only a heartbeat",
		keyed + "kind='heartbeat'\nlayout='01'\nevery='1h'\n":                               "line 8: frame[1].every: \"1h\" is not allowed",
		keyed + "layout='01 key'\ndigits=4\n":                                               "line 7: frame[1].digits: 4 is not allowed",
		keyed + "kind='card'\nlayout='01 skip'\n":                                           "the end of text is not known",
		keyed + "kind='card'\nlayout='01 key*9'\ncode='decimal-low'\n":                      "decimal-low is for keys of 1 to 8 bytes",
		head + "[[frame]]\nlayout='text 0d'\n[[frame]]\nkind='release'\nlayout='text 0a'\n": "end with the same byte",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngives %v, want %s", text, err, want)
		}
	}
}
