package directory

import "strings"

// creditDigits are the characters of a unified social credit code by their values (GB 32100-2015: no I, O, S, V and Z).
const creditDigits = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// ParseCreditCode returns a unified social credit code (统一社会信用代码), in capitals, whose last character proves the others.
func ParseCreditCode(s string) (string, error) {
	s = strings.ToUpper(s)
	if len(s) != 18 {
		return "", faultf("统一社会信用代码 %q 不是 18 位", "the credit code %q does not have 18 characters", s)
	}
	want, err := creditCheck(s[:17])
	if err != nil {
		return "", err
	}
	if s[17] != want {
		return "", faultf("统一社会信用代码 %q 的校验位不对，请核对有无错字", "the check character of the credit code %q is wrong; look for a typing error", s)
	}
	return s, nil
}

// creditCheck returns the check character that 17 others ask for.
func creditCheck(s string) (byte, error) {
	sum, weight := 0, 1
	for i := range len(s) {
		v := strings.IndexByte(creditDigits, s[i])
		if v < 0 {
			return 0, faultf("统一社会信用代码 %q 的第 %d 位不是数字或大写字母（不用 I、O、S、V、Z）",
				"the credit code %q has a character at place %d that no code has (digits, capitals without I, O, S, V, Z)", s, i+1)
		}
		sum += v * weight
		weight = weight * 3 % 31
	}
	return creditDigits[(31-sum%31)%31], nil
}
