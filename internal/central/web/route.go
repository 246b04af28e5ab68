package web

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"haochaping/internal/central/directory/account"
)

// Section is a group of pages.
type Section struct {
	Name string
	// Files has templates (*.html), which define "title" and "main", and scripts, styles and pictures, served as /assets/NAME/FILE. What
	// parts.html defines is for all of the section's pages.
	Files  fs.FS
	Routes []Route
	// Needs returns what the person should look at today; nil: nothing ever. It is asked with the home page's Call.
	Needs func(*Call) ([]Need, error)
}

// Need is a line of the home page.
type Need struct {
	Words string
	Path  string // where something can be done about it, empty: nowhere
	Grave bool
	Says  bool // it is only said, and nothing is to be done
}

// Route is one page, or one thing that a form or program does. Exactly one of Public and Action says who may ask.
type Route struct {
	Method string // GET, POST, …
	Path   string // as http.ServeMux has it
	Action account.Action
	// Object returns what the request is about, by the address alone. ErrNotFound says that there is none. Nil: the page is a list, which
	// shows what May lets through.
	Object func(*Call) (account.Object, error)
	Public bool // for everybody: signing in, health
	Before bool // also for everybody on loopback until there is an account
	Nav    string
	Do     func(*Call) error
	// MaxBody bounds the body in bytes; 0: 64 KiB.
	MaxBody int64
}

// check reports what is wrong with a route.
func (r Route) check() error {
	if r.Do == nil || r.Method == "" || r.Path == "" {
		return fmt.Errorf("route %s %s does nothing", r.Method, r.Path)
	}
	if _, ok := account.RuleOf(r.Action); ok == r.Public {
		return fmt.Errorf("route %s %s has no rule: the action %q is not in docs/roles.md", r.Method, r.Path, r.Action)
	}
	return nil
}

// ErrNotFound says that there is nothing under an address, for this person.
var ErrNotFound = errors.New("not found")

// Refusal is an answer that says what was wrong with a request and what to do.
type Refusal struct {
	Status int    // 400 if 0
	Words  string // for people
	Code   string // for programs; empty: that of the status
	Errors any    // for programs, what is wrong with the parts of the request; nil: nothing besides Words
}

func (r *Refusal) Error() string { return r.Words }

// Own is the object of routes that belong to whoever asks.
func Own(c *Call) (account.Object, error) { return account.Object{Account: c.Person.Account}, nil }

// pattern returns the pattern of a route for http.ServeMux.
func (r Route) pattern() string { return r.Method + " " + r.Path }

// safe reports whether a method changes nothing.
func safe(method string) bool { return method == http.MethodGet || method == http.MethodHead }
