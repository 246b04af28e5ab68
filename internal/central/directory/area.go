package directory

import "strings"

// Level is an area's level in the tree of the administrative division (行政区划).
type Level int

// The levels. The digits of a code say which: 2 for the province, 2 for the city, 2 for the county, 3 for the township, 3 for the village.
const (
	Province Level = iota + 1
	City
	County
	Township
	Village
)

// Chinese returns the level's name.
func (l Level) Chinese() string {
	switch l {
	case Province:
		return "省级"
	case City:
		return "市级"
	case County:
		return "县级"
	case Township:
		return "乡级"
	case Village:
		return "村级"
	}
	return ""
}

// digits is how many digits of a code say which area it is, down to the level.
func (l Level) digits() int { return [...]int{0, 2, 4, 6, 9, 12}[l] }

// areaDigits is the length of an area's code.
const areaDigits = 12

// ParseArea returns an area's code, to which six zeros are added if it has six digits.
func ParseArea(s string) (string, error) {
	if len(s) == 6 {
		s += "000000"
	}
	if len(s) != areaDigits || strings.Trim(s, "0123456789") != "" {
		return "", faultf("区划代码 %q 不是 12 位数字（表格软件可能改写了它，请把该列设为文本）",
			"the area code %q is not 12 digits; a spreadsheet may have rewritten it, make the column text", s)
	}
	if s[0] == '0' || s[:2] == "00" {
		return "", faultf("区划代码 %q 没有省级代码", "the area code %q names no province", s)
	}
	return s, nil
}

// LevelOf returns the level of a code that ParseArea has returned.
func LevelOf(code string) Level {
	for l := Village; l > Province; l-- {
		if from := (l - 1).digits(); strings.Trim(code[from:l.digits()], "0") != "" {
			return l
		}
	}
	return Province
}

// ParentArea returns the code of the area above: the lowest level's digits are zeros. A province has none. A township of a city without
// counties stands below the city.
func ParentArea(code string) string {
	l := LevelOf(code)
	if l == Province {
		return ""
	}
	n := (l - 1).digits()
	return code[:n] + strings.Repeat("0", areaDigits-n)
}
