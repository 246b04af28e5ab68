package rating

import "fmt"

// Level is one of the five answers of article 10, from 5 (best) to 1 (worst). The zero Level is no answer; there is no
// default level anywhere in the product (article 4: evaluation is voluntary and true).
type Level uint8

// The five levels of article 10.
const (
	VeryDissatisfied Level = 1 // 非常不满意
	Dissatisfied     Level = 2 // 不满意
	FairlySatisfied  Level = 3 // 基本满意
	Satisfied        Level = 4 // 满意
	VerySatisfied    Level = 5 // 非常满意
)

// Valid reports whether l is one of the five levels.
func (l Level) Valid() bool { return l >= VeryDissatisfied && l <= VerySatisfied }

// Bad reports whether l is a bad evaluation (差评): levels 2 and 1 (article 10).
func (l Level) Bad() bool { return l == VeryDissatisfied || l == Dissatisfied }

// Chinese returns the wording of article 10, or "无效" for an invalid level.
func (l Level) Chinese() string {
	switch l {
	case VerySatisfied:
		return "非常满意"
	case Satisfied:
		return "满意"
	case FairlySatisfied:
		return "基本满意"
	case Dissatisfied:
		return "不满意"
	case VeryDissatisfied:
		return "非常不满意"
	}
	return "无效"
}

// English returns the level's wording for readers of English, or "invalid".
func (l Level) English() string {
	switch l {
	case VerySatisfied:
		return "Very satisfied"
	case Satisfied:
		return "Satisfied"
	case FairlySatisfied:
		return "Fairly satisfied"
	case Dissatisfied:
		return "Dissatisfied"
	case VeryDissatisfied:
		return "Very dissatisfied"
	}
	return "invalid"
}

// String returns the Chinese wording with the number, as in "5 非常满意".
func (l Level) String() string { return fmt.Sprintf("%d %s", uint8(l), l.Chinese()) }

// Levels returns the five levels, best first.
func Levels() [5]Level {
	return [5]Level{VerySatisfied, Satisfied, FairlySatisfied, Dissatisfied, VeryDissatisfied}
}
