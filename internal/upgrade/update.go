package upgrade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"haochaping/internal/keptfile"
	"haochaping/sync/wire"
)

// Files in the folder of updates, and the one by which the daemon asks, in its own.
const (
	StateFile   = "unfinished" // there while something is under way
	BadFile     = "bad"        // versions with which the box was not well
	ReportFile  = "report.json"
	RequestFile = "update.request"
)

// Request is what the daemon asks for.
type Request struct {
	Version   string `json:"version"`
	WithinSec int    `json:"within_sec"`        // from now on, an installation may begin for so long
	Command   string `json:"command,omitempty"` // the ID of the one that asks, which the report repeats
}

// maxCommand bounds the ID of a command, in bytes, as package wire does.
const maxCommand = 64

// Check reports what is wrong with a request.
func (r Request) Check() error {
	if !wire.IsPackageVersion(r.Version) {
		return fmt.Errorf("%.100q is no version", r.Version)
	}
	if r.WithinSec < 1 || r.WithinSec > 7*24*3600 {
		return fmt.Errorf("an installation may begin for %d s, allowed are 1 s to 7 days", r.WithinSec)
	}
	if len(r.Command) > maxCommand || strings.ContainsFunc(r.Command, func(c rune) bool { return c < '!' || c > '~' }) {
		return fmt.Errorf("%.100q is no ID of a command", r.Command)
	}
	return nil
}

// Outcome is how an update went.
type Outcome string

// The outcomes.
const (
	Installing Outcome = "installing"
	Trying     Outcome = "trying"  // it is installed, and the box is watched
	Done       Outcome = "done"    // the box is well with it
	Refused    Outcome = "refused" // nothing was changed
	Returning  Outcome = "returning"
	Returned   Outcome = "returned" // the box was not well, and has the version before again
)

// Report is which version is installed and how the last update went, for the daemon.
type Report struct {
	Installed string  `json:"installed"`
	Version   string  `json:"version,omitempty"` // that was asked for last, empty: none was
	Outcome   Outcome `json:"outcome,omitempty"`
	Why       string  `json:"why,omitempty"`
	Command   string  `json:"command,omitempty"` // that asked for it
}

// ReadReport reads the report in the folder of updates.
func ReadReport(folder string) (r Report, err error) {
	b, err := os.ReadFile(filepath.Join(folder, ReportFile))
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	return r, err
}

// state is what is under way.
type state struct {
	Phase Outcome  `json:"phase"` // Installing, Trying or Returning
	From  string   `json:"from"`
	To    string   `json:"to"`
	Known []string `json:"known"` // troubles that the box had before
	Why   string   `json:"why,omitempty"`

	Command string `json:"command,omitempty"` // that asked for it
}

// Config holds what an Updater needs.
type Config struct {
	Package  string // as dpkg calls it
	Folder   string // root's own
	Request  string // path of the file by which the daemon asks
	Source   Source
	Troubles func(context.Context) ([]string, error) // codes of the parts without which nobody can rate; an error: the daemon does not answer
	Patience time.Duration                           // in which the box must be well
	Steady   time.Duration                           // for how long
	Logger   *slog.Logger
}

// Updater updates the box. One works at a time.
type Updater struct {
	cfg  Config
	dpkg tool
}

// New returns an updater that does nothing before Run.
func New(c Config) *Updater { return &Updater{c, tool{}} }

// ErrBusy says that another updater works.
var ErrBusy = errors.New("another update is under way")

// Run finishes what was begun before, and then does what the daemon asks for, if it does.
func (u *Updater) Run(ctx context.Context) error { return u.alone(ctx, u.request) }

// Do is Run with a request of somebody who may do anything.
func (u *Updater) Do(ctx context.Context, r Request) error {
	return u.alone(ctx, func() (Request, error) { return r, r.Check() })
}

// alone does what is asked for while no other updater works.
func (u *Updater) alone(ctx context.Context, asked func() (Request, error)) error {
	if err := os.MkdirAll(filepath.Join(u.cfg.Folder, "debs"), 0o755); err != nil {
		return fmt.Errorf("make the folder of updates: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(u.cfg.Folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("lock the updates: %w", err)
	}
	defer func() { _ = lock.Close() }()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return ErrBusy
	}
	var s state
	switch b, err := os.ReadFile(u.at(StateFile)); {
	case err == nil && json.Unmarshal(b, &s) == nil:
		u.cfg.Logger.Info("an update that was interrupted goes on", "from", s.From, "to", s.To, "phase", s.Phase)
		if err := u.finish(ctx, s); err != nil {
			return err
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("read what was begun: %w", err)
	}
	r, err := asked()
	if err != nil {
		return err
	}
	if r == (Request{}) {
		last, _ := ReadReport(u.cfg.Folder) // none, or none that can be read: it is written anew
		return u.report(ctx, last)
	}
	return u.begin(ctx, r)
}

// begin gets the packages of what is asked for, and installs it.
func (u *Updater) begin(ctx context.Context, r Request) error {
	begun := time.Now()
	s, err := u.prepare(ctx, r)
	if err == nil && time.Since(begun) > time.Duration(r.WithinSec)*time.Second {
		err = errors.New("the packages took so long that the time in which an installation may begin is over")
	}
	if err != nil {
		return errors.Join(err, u.report(ctx, Report{Version: r.Version, Outcome: Refused, Why: err.Error(), Command: r.Command}))
	}
	if err := u.keep(s); err != nil {
		return err
	}
	return u.finish(ctx, s)
}

func (u *Updater) at(name string) string { return filepath.Join(u.cfg.Folder, name) }

func (u *Updater) deb(version string) string {
	return filepath.Join(u.cfg.Folder, "debs", version+".deb")
}

// request takes what the daemon asks for; a zero one where it asks for nothing. A file is taken once, whatever comes of it.
func (u *Updater) request() (r Request, err error) {
	const most = 4 << 10
	f, err := os.OpenFile(u.cfg.Request, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	removed := os.Remove(u.cfg.Request)
	if err != nil {
		return r, errors.Join(fmt.Errorf("read what is asked for: %w", err), removed)
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, most)
	n, err := f.Read(b)
	if err == nil {
		err = json.Unmarshal(b[:n], &r)
	}
	if err == nil {
		err = r.Check()
	}
	if err != nil {
		return Request{}, errors.Join(fmt.Errorf("read what is asked for: %w", err), removed)
	}
	return r, removed
}

// prepare gets both packages onto the disk. Nothing of the box is changed by it.
func (u *Updater) prepare(ctx context.Context, r Request) (s state, err error) {
	s = state{Phase: Installing, To: r.Version, Command: r.Command}
	now, err := u.installed(ctx)
	if err != nil {
		return s, err
	}
	s.From = now.version
	if !now.whole {
		return s, fmt.Errorf("%s %s is not installed as a whole; dpkg --audit says more", u.cfg.Package, now.version)
	}
	if newer, err := u.dpkg.newer(ctx, s.To, s.From); err != nil || !newer {
		return s, errors.Join(err, fmt.Errorf("%s is not newer than %s, which is installed", s.To, s.From))
	}
	if slices.Contains(u.bad(), s.To) {
		return s, fmt.Errorf("the box was not well with %s before", s.To)
	}
	if s.Known, err = u.cfg.Troubles(ctx); err != nil {
		return s, fmt.Errorf("how the box is before the update: %w", err)
	}
	if err := u.cfg.Source.fetch(ctx, u.at("apt"), u.cfg.Package, s.To, u.deb(s.To)); err != nil {
		return s, err
	}
	if err := u.check(ctx, s.From); err == nil {
		return s, nil // from the last time
	}
	if err := u.cfg.Source.fetch(ctx, u.at("apt"), u.cfg.Package, s.From, u.deb(s.From)); err != nil {
		return s, fmt.Errorf("there would be no way back to %s: %w", s.From, err)
	}
	return s, nil
}

// finish takes what is under way to its end.
func (u *Updater) finish(ctx context.Context, s state) error {
	for {
		if err := u.report(ctx, Report{Version: s.To, Outcome: s.Phase, Why: s.Why, Command: s.Command}); err != nil {
			u.cfg.Logger.Error("the daemon cannot be told how the update goes", "error", err)
		}
		switch s.Phase {
		case Installing:
			if err := u.install(ctx, s.To); err != nil {
				s.Phase, s.Why = Returning, err.Error()
				break
			}
			s.Phase = Trying
		case Trying:
			err := u.try(ctx, s)
			if err == nil {
				return u.end(ctx, s, Report{Version: s.To, Outcome: Done, Command: s.Command})
			}
			s.Phase, s.Why = Returning, err.Error()
		default:
			err := u.install(ctx, s.From)
			if err == nil {
				if err := u.spoil(s.To); err != nil {
					u.cfg.Logger.Error("it cannot be kept with which version the box was not well", "version", s.To, "error", err)
				}
				u.cfg.Logger.Warn("the box has the version before again", "from", s.To, "to", s.From, "why", s.Why)
				return u.end(ctx, s, Report{Version: s.To, Outcome: Returned, Why: s.Why, Command: s.Command})
			}
			u.cfg.Logger.Error("the version before cannot be installed; it is tried again each minute", "version", s.From, "error", err)
			select {
			case <-time.After(time.Minute):
				continue
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return ctx.Err() // a machine that is switched off says nothing about the version; the next run goes on
		}
		if err := u.keep(s); err != nil {
			return err
		}
	}
}

// try watches the box until it has been well for long enough. Its error says why it is not.
func (u *Updater) try(ctx context.Context, s state) error {
	const look = time.Second
	var well time.Time
	last := errors.New("it has not answered yet")
	for end := time.Now().Add(u.cfg.Patience); time.Now().Before(end); {
		told, err := u.cfg.Troubles(ctx)
		fresh := slices.IndexFunc(told, func(code string) bool { return !slices.Contains(s.Known, code) })
		switch {
		case err != nil:
			last, well = err, time.Time{}
		case fresh >= 0:
			last, well = fmt.Errorf("%s, which was not so before", told[fresh]), time.Time{}
		case well.IsZero():
			last, well = errors.New("it was not well for long enough"), time.Now()
		case time.Since(well) >= u.cfg.Steady:
			return nil
		}
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("the box is not well with it after %s: %w", u.cfg.Patience, last)
}

// end forgets what was under way. The package that is installed now stays, as the one before of the next update.
func (u *Updater) end(ctx context.Context, s state, r Report) error {
	stays := s.To
	if r.Outcome == Returned {
		stays = s.From
	}
	err := os.Remove(u.at(StateFile))
	if all, wrong := filepath.Glob(filepath.Join(u.cfg.Folder, "debs", "*.deb")); wrong == nil {
		for _, path := range all {
			if path != u.deb(stays) {
				err = errors.Join(err, os.Remove(path))
			}
		}
	}
	return errors.Join(err, u.report(ctx, r))
}

func (u *Updater) keep(s state) error { return u.write(StateFile, s) }

// report writes how the update goes, for everybody to read.
func (u *Updater) report(ctx context.Context, r Report) error {
	now, err := u.installed(ctx)
	if err != nil {
		return err
	}
	r.Installed = now.version
	u.cfg.Logger.Info("update", "installed", r.Installed, "version", r.Version, "outcome", r.Outcome, "why", r.Why)
	if err := u.write(ReportFile, r); err != nil {
		return err
	}
	return os.Chmod(u.at(ReportFile), 0o644)
}

func (u *Updater) write(name string, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		err = keptfile.Replace(u.at(name), b)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// bad returns the versions with which the box was not well.
func (u *Updater) bad() (all []string) {
	if b, err := os.ReadFile(u.at(BadFile)); err != nil || json.Unmarshal(b, &all) != nil {
		return nil
	}
	return all
}

func (u *Updater) spoil(version string) error {
	const most = 20
	all := append(u.bad(), version)
	return u.write(BadFile, all[max(0, len(all)-most):])
}
