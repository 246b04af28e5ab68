package fleet

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// lessonOf returns the command by which a box has learnt its keys, if they wait to be confirmed: it is answered and nothing has followed.
// Commands are the latest first.
func lessonOf(all []fleet.Command, now time.Time) (c fleet.Command, ok bool) {
	for _, x := range all {
		switch x.Name {
		case wire.CommandKeepKeys, wire.CommandRestart:
			if x.Failed == "" {
				return c, false
			}
		case wire.CommandLearnKeys:
			waits := !x.Answered.IsZero() && x.Failed == "" && keysOf(x) != nil && now.Sub(x.Asked) < wire.LessonLife
			return x, waits
		}
	}
	return c, false
}

// keysOf returns which key a box has learnt for each level, nil unless there are five.
func keysOf(c fleet.Command) map[string]string {
	keys := make(map[string]string)
	for _, p := range keyParts(c) {
		if p.What != "" {
			keys[p.Name] = p.What
		}
	}
	if len(keys) != int(rating.VerySatisfied) { // the best of the levels, which are numbered from 1
		return nil
	}
	return keys
}

// keepKeys has a box go by the keys that it has learnt and that somebody has confirmed.
func (p *pages) keepKeys(c *web.Call) error {
	id := rating.DeviceID(c.R.PathValue("device"))
	all, err := p.Fleet.Commands(c.R.Context(), id, shownCommands)
	if err != nil {
		return err
	}
	lesson, ok := lessonOf(all, c.Now())
	if !ok || lesson.ID != c.R.FormValue("lesson") {
		return conflict("学到的按键已过期或已被处理，请重新学习。What was learnt is out of date; learn the keys again.")
	}
	x := fleet.NewCommand(p.Random(), id, wire.CommandKeepKeys, c.Person.Account, c.Now())
	x.Args = keysOf(lesson)
	data, err := json.Marshal(x.Args)
	if err != nil {
		return err
	}
	return p.give(c, x, journal.Act{Do: "fleet." + x.Name, Object: string(id), Data: data})
}

// learntRow is a key as it stands before the citizen, with what it sends or does to its line where that was learnt, too.
type learntRow struct{ Place, Level, Key, Frame, Line string }

// learntRows returns the keys from left to right, or as they were pressed where nobody knows their places.
func learntRows(c fleet.Command) (rows []learntRow) {
	for _, p := range keyParts(c) {
		level := strings.TrimPrefix(p.Name, wire.KeyPart)
		row := learntRow{"", partWords(p.Name), p.What, partOf(c, wire.FramePart+level), partOf(c, wire.LinePart+level)}
		if placed(c) {
			row.Place = []string{"左一", "左二", "正中", "右二", "右一"}[min(len(rows), 4)]
		}
		rows = append(rows, row)
	}
	return rows
}

// partOf returns what a box says of a part of its answer, empty where it did not have to learn that.
func partOf(c fleet.Command, name string) string {
	for _, p := range c.Parts {
		if p.Name == name {
			return p.What
		}
	}
	return ""
}

// ofLesson reports whether a part of an answer tells how keys were learnt.
func ofLesson(p wire.Part) bool {
	return strings.HasPrefix(p.Name, wire.HeardPart) || strings.HasPrefix(p.Name, wire.FramePart) || strings.HasPrefix(p.Name, wire.LinePart)
}

// heard returns what a box heard while its keys were learnt, one after the other.
func heard(c fleet.Command) (all []string) {
	for _, p := range c.Parts {
		if strings.HasPrefix(p.Name, wire.HeardPart) {
			all = append(all, p.What)
		}
	}
	return all
}

// lessonArgs returns with what arguments the keys are to be learnt.
func lessonArgs(c *web.Call) (map[string]string, error) {
	switch {
	case c.R.FormValue(wire.LinesArg) != "":
		return map[string]string{wire.LinesArg: "1"}, nil
	case c.R.FormValue(wire.FramesArg) == "":
		return nil, nil
	}
	args := map[string]string{wire.FramesArg: "1"}
	if baud := c.R.FormValue(wire.BaudArg); baud != "" {
		if !slices.Contains(bauds(), baud) {
			return nil, &web.Refusal{Status: http.StatusUnprocessableEntity, Words: "请从列表中选择串口速率。Choose a speed from the list."}
		}
		args[wire.BaudArg] = baud
	}
	return args, nil
}

// bauds returns the speeds at which a serial keypad's line can be set, in bits per second.
func bauds() []string {
	return []string{"300", "600", "1200", "2400", "4800", "9600", "19200", "38400", "57600", "115200"}
}

// placed reports whether the box knows where the keys stand that it has learnt.
func placed(c fleet.Command) bool {
	return !slices.ContainsFunc(c.Parts, func(p wire.Part) bool { return p.Name == wire.PressedPart })
}

// keyParts returns the parts of an answer that are keys.
func keyParts(c fleet.Command) (all []wire.Part) {
	for _, p := range c.Parts {
		if strings.HasPrefix(p.Name, wire.KeyPart) {
			all = append(all, p)
		}
	}
	return all
}

// inOrder reports whether the levels rise or fall from left to right, as they do on all but few keypads.
func inOrder(c fleet.Command) bool {
	var names []string
	for _, p := range keyParts(c) {
		names = append(names, p.Name)
	}
	up := slices.IsSorted(names)
	slices.Reverse(names)
	return up || slices.IsSorted(names)
}
