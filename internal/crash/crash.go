// Package crash makes an error of a panic, where one part of the box is not to end the others: the keys, the log and the uplink go on
// while a font, a sound or a card reader does not. A part says so where its goroutine begins; what holds a lock or a promise that a
// panic would break is not contained. It contains no fault of the runtime itself, as concurrent writes of a map or a lack of memory.
package crash

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// Error is a panic that was contained.
type Error struct {
	Value any    // that was panicked with
	Stack []byte // of the goroutine, for who mends it
}

func (e *Error) Error() string {
	return fmt.Sprintf("程序错误 / a fault of the program: %v", e.Value)
}

// Unwrap returns the error that was panicked with, nil if it was none.
func (e *Error) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Contain returns what f returns, and an *Error if it panics.
func Contain(f func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &Error{value, debug.Stack()}
		}
	}()
	return f()
}

// StackOf returns the stack of a panic among the errors that err wraps, empty if there is none.
func StackOf(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return ""
	}
	return string(e.Stack)
}
