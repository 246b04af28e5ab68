package rating

import "strings"

// Steady returns the words of an error of the JSON library as they are in every process. It says "cannot" in one and "unable to" in
// another, and the centre's books, which repeat them, must come out alike whoever makes them.
func Steady(err error) string {
	return strings.ReplaceAll(err.Error(), "json: unable to ", "json: cannot ")
}
