package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/cli"
	"haochaping/internal/opsapi"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
	"haochaping/internal/upgrade"
	"haochaping/internal/windowapi"
	"haochaping/sync/wire"
)

const (
	// commandsNote is the name under which the store keeps which commands were carried out, for those that must not be again after a restart.
	commandsNote = "commands"
	// keptCommands is how many are kept. Each expires within minutes.
	keptCommands = 16
	// commandTime is how long the terminal may take for a command.
	commandTime = 2 * time.Second
)

// orders carries out the centre's commands, for the uplink, which calls it from one goroutine at a time. Nothing that it answers depends on
// what a citizen answers.
type orders struct {
	loop  *terminal.Loop
	clock clock
	notes notes
	parts func() opsapi.Health
	// restart ends the daemon, which its service manager then starts anew; nil without one.
	restart func()
	keys    *teacher
	tester  *tester
	erase   func(id, giveUp string) error
	bundle  func(id string) error
	tokens  string           // the file of the tokens of the window's PCs
	wall    func() time.Time // the clock on the wall
	// programs asks whoever updates the programs for a version.
	programs func(upgrade.Request) error
	log      *slog.Logger
}

// errNoManager says that a daemon that ends would not be started again.
var errNoManager = cli.Error("没有服务管理器，重启后不会再启动", "no service manager would start the daemon again")

// carryOut carries out a command, and returns how the parts are where it asks for that.
func (o orders) carryOut(c wire.Command) ([]wire.Part, error) {
	switch c.Name {
	case wire.CommandPhoneRated:
		return nil, o.phoneRated(c)
	case wire.CommandSelfTest:
		return tested(o.parts()), nil
	case wire.CommandTestPicture:
		return nil, o.once(c, o.tester.show)
	case wire.CommandPause:
		return nil, o.once(c, o.loop.Pause)
	case wire.CommandResume:
		return nil, o.once(c, o.loop.Resume)
	case wire.CommandRestart:
		if o.restart == nil {
			return nil, errNoManager
		}
		return nil, o.once(c, func(context.Context) error {
			o.log.Info("the centre starts the daemon anew", "command", c.ID)
			o.restart()
			return nil
		})
	case wire.CommandLearnKeys:
		return nil, o.keys.begin(c)
	case wire.CommandErase:
		return nil, o.erase(c.ID, c.Args["give_up"])
	case wire.CommandSendBundle:
		return nil, o.bundle(c.ID)
	case wire.CommandAddToken:
		return nil, o.once(c, func(context.Context) error {
			return windowapi.KeepToken(o.tokens, windowapi.Token{ID: c.Args["id"], Name: c.Args["name"], Hash: c.Args["hash"],
				Created: o.wall().UTC().Truncate(time.Second)})
		})
	case wire.CommandDropToken:
		return nil, o.once(c, func(context.Context) error { return windowapi.RevokeToken(o.tokens, c.Args["id"]) })
	case wire.CommandUpdate:
		return nil, o.once(c, func(context.Context) error { return o.update(c) })
	case wire.CommandKeepKeys:
		return nil, o.once(c, func(context.Context) error { return o.keys.keep(c) })
	}
	return nil, fmt.Errorf("command %q is unknown to this version", c.Name)
}

// phoneRated tells the terminal that a phone has rated.
func (o orders) phoneRated(c wire.Command) error {
	id, err := rating.ParseVisitID(c.Args["visit"])
	subject := rating.Subject(c.Args["subject"])
	if err != nil || !subject.Valid() {
		return fmt.Errorf("command %s: visit %q, subject %q: not understood", c.Name, c.Args["visit"], c.Args["subject"])
	}
	o.loop.Post(terminal.PhoneRated{At: o.clock.now(), Visit: id, Subject: subject, Case: c.Args["case"]})
	return nil
}

// update asks for another version of the programs.
func (o orders) update(c wire.Command) error {
	within, err := strconv.Atoi(c.Args["within_sec"])
	if err != nil {
		return fmt.Errorf("within_sec %q: %w", c.Args["within_sec"], err)
	}
	r := upgrade.Request{Version: c.Args["version"], WithinSec: within, Command: c.ID}
	if err := r.Check(); err != nil {
		return err
	}
	o.log.Info("the centre asks for another version of the programs", "version", r.Version)
	return o.programs(r)
}

// once does what a command asks for, unless it was done before the last restart. It is noted before, since a restart leaves no time after
// it, and the note is taken back where it fails. Where the disk takes no note it is done all the same: it may be what helps, and expires
// soon.
func (o orders) once(c wire.Command, do func(context.Context) error) error {
	var done []string
	if b := o.notes.Note(commandsNote); b != nil {
		if err := json.Unmarshal(b, &done); err != nil {
			o.log.Error("which commands were carried out cannot be read; it is begun anew", "error", err)
			done = nil
		}
	}
	if slices.Contains(done, c.ID) {
		return nil
	}
	if err := o.note(append(slices.Clone(done), c.ID)); err != nil {
		o.log.Error("it cannot be noted that a command was carried out", "command", c.Name, "error", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	if err := do(ctx); err != nil {
		return fmt.Errorf("command %s: %w", c.Name, errors.Join(err, o.note(done)))
	}
	return nil
}

// note keeps the last of the commands that were carried out.
func (o orders) note(done []string) error {
	b, err := json.Marshal(done[max(0, len(done)-keptCommands):])
	if err != nil {
		return err
	}
	return o.notes.SetNote(commandsNote, b)
}

// tested returns how the parts were at the last look, a few seconds ago, as an answer has them. Where the words would not fit into it, the
// codes must do.
func tested(h opsapi.Health) (all []wire.Part) {
	for _, p := range h.Parts[:min(len(h.Parts), wire.MaxParts)] {
		what := strings.ToValidUTF8(p.What.ZH[:min(len(p.What.ZH), wire.MaxWhat)], "")
		all = append(all, wire.Part{Name: p.Name, Code: string(p.Code), What: what})
	}
	const rest = 1 << 10 // of the answer
	if b, err := json.Marshal(all); err != nil || len(b) > wire.MaxState-rest {
		for i := range all {
			all[i].What = ""
		}
	}
	return all
}
