package device

import (
	"errors"
	"fmt"
	"io/fs"
	"os/user"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// explainChip says which group may use a chip, and the rule of udev that gives it to one.
func explainChip(path string, err error) error {
	var st unix.Stat_t
	if !errors.Is(err, fs.ErrPermission) || unix.Stat(path, &st) != nil {
		return fmt.Errorf("GPIO chip %s: %w", path, err)
	}
	group := strconv.Itoa(int(st.Gid))
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	if st.Gid != 0 && st.Mode&0o060 == 0o060 {
		return fmt.Errorf("no permission for %s: add the user that runs this to the group %s (usermod -aG %s …) and start anew: %w", path, group,
			group, err)
	}
	return fmt.Errorf("no permission for %s, which only %s may use: write SUBSYSTEM==\"gpio\", KERNEL==\"gpiochip*\", GROUP=\"gpio\", "+
		"MODE=\"0660\" into /etc/udev/rules.d/60-gpio.rules, add the user that runs this to the group gpio, and restart the machine: %w", path,
		group, err)
}

// nearest returns the names that somebody who wrote ref may have meant, at most three, or nothing.
func nearest(ref string, names []string) string {
	best, found := 3, []string(nil)
	for _, n := range names {
		d := distance(strings.ToUpper(ref), strings.ToUpper(n))
		switch {
		case d >= 3 || d > best || d >= len(ref):
			continue
		case d < best:
			best, found = d, nil
		}
		if len(found) < 3 {
			found = append(found, n)
		}
	}
	return strings.Join(found, " or ")
}

// distance is how many bytes must be inserted, deleted or replaced to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
