package directory

import (
	"errors"
	"fmt"
)

// Fault says why something is refused, to administrators in Chinese and to others in English.
type Fault struct {
	Chinese string `json:"zh"`
	English string `json:"en"`
}

// Error returns both texts.
func (f Fault) Error() string { return f.Chinese + " · " + f.English }

// faultf returns a fault. Both formats take the same arguments; one that leaves some out names the others by their numbers, as in %[2]s.
func faultf(chinese, english string, args ...any) Fault {
	return Fault{fmt.Sprintf(chinese, args...), fmt.Sprintf(english, args...)}
}

// asFault returns an error as a fault.
func asFault(err error) Fault {
	var f Fault
	if errors.As(err, &f) {
		return f
	}
	return Fault{"不合规定：" + err.Error(), err.Error()}
}
