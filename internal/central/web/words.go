package web

import "haochaping/internal/rating"

func channelWords(c rating.Channel) string {
	switch c {
	case rating.Keypad:
		return "按键"
	case rating.Phone:
		return "手机扫码"
	}
	return string(c)
}

// statusWords returns the words for an entry's status and the class that the style sheet knows.
func statusWords(status string) (words, kind string) {
	switch status {
	case "counted":
		return "计入", "counted"
	case "replaced":
		return "被更正", "replaced"
	case "later":
		return "已有在先", "later"
	}
	return status, "other"
}

func kindWords(kind string) string {
	switch kind {
	case "gap":
		return "缺号"
	case "fork":
		return "分叉"
	case "broken_chain":
		return "断链"
	case "quarantine":
		return "隔离"
	case "damage":
		return "存储损坏"
	}
	return kind
}
