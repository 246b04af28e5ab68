package web

import "strings"

// Actor names in words who did something and has no account: the program itself, a citizen, whoever worked on the centre's machine, or a
// business system by its token. What it does not know comes back as it is.
func Actor(source string) string {
	switch source {
	case "rectify":
		return "系统（差评整改）"
	case "deadline":
		return "系统（评价期限）"
	case "centre":
		return "系统（评价器接入）"
	case "fleet":
		return "系统（分步更改）"
	case "citizen":
		return "市民"
	}
	kind, rest, _ := strings.Cut(source, ":")
	if name, ok := strings.CutPrefix(source, "operator "); ok {
		return "中心主机操作员（" + name + "）"
	}
	switch {
	case rest == "":
		return source
	case kind == "sms":
		return "短信接口（" + rest + "）"
	case kind == "voice":
		return "电话接口（" + rest + "）"
	}
	return source
}
