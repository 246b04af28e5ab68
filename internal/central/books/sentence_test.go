package books

import (
	"strings"
	"testing"
	"unicode"
)

// TestFindingsSpeakChinese has each sentence said in Chinese again, with what stands in its places.
func TestFindingsSpeakChinese(t *testing.T) {
	for _, s := range sentences() {
		var args []string
		text := s.en
		for strings.Contains(text, "%s") {
			arg := "w" + strings.Repeat("x", len(args)) + "y"
			args, text = append(args, arg), strings.Replace(text, "%s", arg, 1)
		}
		said := Finding{Detail: text}.Words()
		if said.EN != text || said.ZH == text || strings.Contains(said.ZH, "%!") || !strings.ContainsFunc(said.ZH, isHan) {
			t.Errorf("%q is %q", text, said.ZH)
		}
		for _, a := range args {
			if !strings.Contains(said.ZH, a) {
				t.Errorf("%q lacks %q: %q", text, a, said.ZH)
			}
		}
	}
	for detail, want := range map[string]string{
		"of case 620100-1 the evaluation of ft-09, record 3 of epoch 0000000000000007, 2026-03-02T04:00:00Z, counts now in place of that of " +
			"a phone for ft-02, 2026-03-02T05:30:00Z": "办件 620100-1：ft-09 第 3 条（日志 0000000000000007）（2026-03-02 12:00:00） 的评价，现在代替 " +
			"ft-02 手机（2026-03-02 13:30:00） 的评价计入",
		"visit 0000000000000005 has more answers of this device than are looked at; this one is kept and counts for nothing there": "同一设备对" +
			"办理 0000000000000005的评价超过核对的数量；这一份另存，不计入",
		`case a: completed_at is "1", and is now said to be "2"`: `办件 a：completed_at 原为 "1"，现在说是 "2"`,
		"case was not said at all":                               "case was not said at all",
	} {
		if got := (Finding{Kind: Contradiction, Detail: detail}).Words().ZH; got != want {
			t.Errorf("%q:\n got %q\nwant %q", detail, got, want)
		}
	}
	odd := Finding{Kind: Quarantine, Detail: "record: version 9 is not supported, only 1 is"}
	if got := odd.Words().ZH; !strings.HasPrefix(got, "读不懂的原因：") {
		t.Errorf("a reason of a quarantine is %q", got)
	}
}

func isHan(r rune) bool { return unicode.Is(unicode.Han, r) }
