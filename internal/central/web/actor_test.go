package web

import "testing"

// Whoever does something without an account has a name in Chinese.
func TestActor(t *testing.T) {
	for source, want := range map[string]string{"rectify": "系统（差评整改）", "deadline": "系统（评价期限）", "centre": "系统（评价器接入）", "fleet": "系统（分步更改）",
		"citizen":        "市民",
		"operator uid 0": "中心主机操作员（uid 0）", "operator li": "中心主机操作员（li）", "sms:gateway": "短信接口（gateway）", "voice:12345": "电话接口（12345）",
		"a-1": "a-1", "": "", "other:x": "other:x"} {
		if got := Actor(source); got != want {
			t.Errorf("%q is %q, want %q", source, got, want)
		}
	}
}
