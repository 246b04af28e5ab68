package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

const (
	// CommandLife is how long a box may carry out a command of the pages: somebody waits for it.
	CommandLife = 2 * time.Minute
	// keptCommands is how many commands of a box are kept.
	keptCommands = 50
	// commandPrefix begins the IDs of the pages' commands, so that answers to others cost no query.
	commandPrefix = "f-"
)

// ErrAsked says that the box has been asked for the same and has not answered yet.
var ErrAsked = errors.New("the box has been asked for this and has not answered yet")

// Command is what somebody at the centre asked a box to do.
type Command struct {
	ID       string
	Device   rating.DeviceID
	Name     string // as package wire has it
	Args     map[string]string
	Account  string
	Asked    time.Time
	Expires  time.Time
	Answered time.Time   // zero: not yet
	Failed   string      // why it was not carried out, or not sent
	Parts    []wire.Part // how the box's parts were, for a self-test
}

// Open reports whether an answer may still come.
func (c Command) Open(now time.Time) bool {
	return c.Answered.IsZero() && c.Failed == "" && now.Before(c.Expires)
}

// Ask writes a command in the transaction of the act by which it is asked. It is ErrAsked while the same one waits for its answer: a lesson
// does so only until the box connects anew, since a power cut ends it.
func Ask(ctx context.Context, tx *db.Tx, c Command) error {
	var waiting bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM device_command WHERE device = $1 AND name = $2 AND answered_at IS NULL
		AND failed IS NULL AND expires > $3 AND NOT (name = $4 AND asked_at <
		(SELECT coalesce(max(presence_at), 0) FROM device_state WHERE id = $1)))`,
		string(c.Device), c.Name, c.Asked.UnixMilli(), wire.CommandLearnKeys).Scan(&waiting)
	if err != nil {
		return err
	}
	if waiting {
		return ErrAsked
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO device_command (id, device, name, account, asked_at, expires) VALUES ($1, $2, $3, $4, $5, $6)",
		c.ID, string(c.Device), c.Name, c.Account, c.Asked.UnixMilli(), c.Expires.UnixMilli())
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM device_command WHERE device = $1 AND id NOT IN
		(SELECT id FROM device_command WHERE device = $1 ORDER BY asked_at DESC, id LIMIT $2)`, string(c.Device), keptCommands)
	return err
}

// NewCommand returns a command with an ID of its own, made of random text.
func NewCommand(random string, d rating.DeviceID, name, account string, now time.Time) Command {
	c := Command{ID: commandPrefix + random, Device: d, Name: name, Account: account, Asked: now, Expires: now.Add(CommandLife)}
	if name == wire.CommandLearnKeys {
		c.Expires = now.Add(wire.LessonLife + CommandLife)
	}
	return c
}

// Wire returns the command as the box gets it.
func (c Command) Wire() wire.Command {
	return wire.Command{Device: c.Device, ID: c.ID, Name: c.Name, Args: c.Args, Expires: c.Expires.UnixMilli()}
}

// Unsent notes that a command did not get to the broker.
func (f *Fleet) Unsent(ctx context.Context, id string, why error) error {
	err := f.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE device_command SET failed = $1 WHERE id = $2 AND answered_at IS NULL", cut(why.Error()), id)
		return err
	})
	if err != nil {
		return fmt.Errorf("note that a command was not sent: %w", err)
	}
	return nil
}

// Answers reports whether an answer is to a command of the pages.
func Answers(r wire.Reply) bool { return strings.HasPrefix(r.ID, commandPrefix) }

// answered writes what a box answered. Only its own commands count, and only the first answer.
func answered(ctx context.Context, tx *db.Tx, n Note) error {
	for _, r := range n.Replies {
		var parts, failed any
		if len(r.Parts) > 0 {
			b, err := json.Marshal(r.Parts)
			if err != nil {
				return err
			}
			parts = string(b) // a zero is escaped in it
		}
		if !r.OK {
			failed = cut(r.Error)
		}
		_, err := tx.ExecContext(ctx, "UPDATE device_command SET answered_at = $1, failed = $2, parts = $3 WHERE id = $4 AND device = $5 AND "+
			"answered_at IS NULL",
			n.RepliedAt.UnixMilli(), failed, parts, r.ID, string(n.Device))
		if err != nil {
			return err
		}
	}
	return nil
}

// cut returns a box's words as any database takes them: short, in whole characters, without zeros, and not empty.
func cut(s string) string {
	const most = 300 // bytes
	s = strings.ReplaceAll(strings.ToValidUTF8(s[:min(len(s), most)], ""), "\x00", "")
	if s == "" {
		return "?"
	}
	return s
}

const readCommands = `SELECT id, device, name, account, asked_at, expires, coalesce(answered_at, 0), coalesce(failed, ''),
	coalesce(parts, '') FROM device_command `

// Commands returns the last commands of a box, the latest first.
func (f *Fleet) Commands(ctx context.Context, d rating.DeviceID, n int) ([]Command, error) {
	all, err := db.Query(ctx, f.db, scanCommand, readCommands+"WHERE device = $1 ORDER BY asked_at DESC, id LIMIT $2", string(d), n)
	if err != nil {
		return nil, fmt.Errorf("read the commands of %s: %w", d, err)
	}
	return all, nil
}

func scanCommand(s db.Scanner) (c Command, err error) {
	var asked, expires, answered int64
	var parts string
	if err := s.Scan(&c.ID, &c.Device, &c.Name, &c.Account, &asked, &expires, &answered, &c.Failed, &parts); err != nil {
		return c, err
	}
	c.Asked, c.Expires, c.Answered = time.UnixMilli(asked), time.UnixMilli(expires), moment(answered)
	if json.Unmarshal([]byte(parts), &c.Parts) != nil { // none, or one that cannot be read, which must not cost the page
		c.Parts = nil
	}
	return c, nil
}

// moment returns a time of the tables, zero for 0.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// CommandNames returns the commands that pages give, in their order.
func CommandNames() []string {
	return []string{wire.CommandSelfTest, wire.CommandTestPicture, wire.CommandPause, wire.CommandResume, wire.CommandRestart,
		wire.CommandLearnKeys, wire.CommandSendBundle}
}

// CommandsOfPrograms returns the commands that programs may give by a token that was made for it. Keys are learnt by somebody who stands
// before the box and confirmed by somebody who looks.
func CommandsOfPrograms() []string {
	return slices.DeleteFunc(CommandNames(), func(name string) bool { return name == wire.CommandLearnKeys })
}

// IsCommand reports whether pages give a command of that name.
func IsCommand(name string) bool { return slices.Contains(CommandNames(), name) }
