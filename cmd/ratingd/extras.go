package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"haochaping/internal/condition"
	"haochaping/internal/crash"
	"haochaping/internal/enrolment"
	"haochaping/internal/opsapi"
)

const (
	// extraFirstPause is how long after its failure an optional part is tried again; each pause is twice the one before.
	extraFirstPause = time.Second
	// extraMaxPause bounds that, so that a part that was repaired is soon back.
	extraMaxPause = 30 * time.Second
	// extraRecordPause is how far apart the records of one part's troubles are at least: a memory card bears only so many writes.
	extraRecordPause = 10 * time.Minute
)

// extra is an optional part: without it the box rates all the same. It is safe for concurrent use.
type extra struct {
	name    string         // as status, metrics and the records have it
	code    condition.Code // of its trouble
	crashed condition.Code // where the program itself is at fault; empty for the same
	// run works until ctx ends. It reports nil whenever the part works, and an error when it does not and goes on by itself. What
	// it returns is a failure after which it is to be run again.
	run   func(ctx context.Context, report func(error)) error
	board *extras

	mu       sync.Mutex
	told     bool          // guarded by mu; something was reported
	worked   bool          // guarded by mu; since it was run last
	why      error         // guarded by mu; nil while it works
	recorded bool          // guarded by mu; the records say that it does not work
	at       time.Duration // guarded by mu; of the last record of a trouble
	ever     bool          // guarded by mu; there is such a record
}

// extras are the optional parts of a box. What befalls them is known here and shown from here: their failures never end the
// daemon.
type extras struct {
	all     []*extra
	mono    func() time.Duration
	noticed func()                       // is called at each change
	record  func(part string, why error) // tells the centre; why is nil when the part works again
	log     *slog.Logger
}

// add adds a part that is run by the extra's supervise. Call it before anything runs.
func (x *extras) add(name string, code condition.Code, run func(ctx context.Context, report func(error)) error) *extra {
	e := &extra{name: name, code: code, run: run, board: x}
	x.all = append(x.all, e)
	return e
}

// watched returns the parts for a Monitor.
func (x *extras) watched() []opsapi.Watched {
	var out []opsapi.Watched
	for _, e := range x.all {
		if e.name == linkPart { // of which there is more to say
			continue
		}
		out = append(out, opsapi.Watched{Name: e.name, Look: func(context.Context) condition.Finding { return e.finding() }})
	}
	return out
}

// supervise runs the part until ctx ends, and again after each failure, a panic among them, at growing intervals. It returns nil.
func (e *extra) supervise(ctx context.Context) error {
	for pause := extraFirstPause; ; pause = min(2*pause, extraMaxPause) {
		began := e.board.mono()
		err := crash.Contain(func() error { return e.run(ctx, e.report) })
		if ctx.Err() != nil {
			if err != nil && !errors.Is(err, context.Canceled) {
				e.board.log.Warn("an optional part did not end in order", "part", e.name, "error", err)
			}
			return nil
		}
		if err == nil {
			err = errors.New("it ended by itself")
		}
		// What panics says that it works before it does so again.
		if lasted := e.board.mono()-began >= extraMaxPause; e.hasWorked() && (lasted || crash.StackOf(err) == "") {
			pause = extraFirstPause
		}
		e.report(err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// report notes how the part is, and tells of a change.
func (e *extra) report(why error) {
	e.mu.Lock()
	before, first := e.why, !e.told
	e.told, e.why, e.worked = true, why, e.worked || why == nil
	now := e.board.mono()
	record := why == nil && e.recorded || why != nil && !e.recorded && (!e.ever || now-e.at >= extraRecordPause)
	if record {
		e.recorded = why != nil
		if why != nil {
			e.at, e.ever = now, true
		}
	}
	e.mu.Unlock()
	code := e.codeOf(why)
	changed := why != nil && (before == nil || before.Error() != why.Error())
	switch words := condition.Of(code, ""); {
	case changed && (errors.Is(why, enrolment.ErrWaits) || errors.Is(why, errUncertified)): // a new box is not at fault
		e.board.log.Info("the box waits for the centre to let it in", "part", e.name, "because", why)
	case changed:
		e.board.log.Error("an optional part of the box does not work; it is tried again", "part", e.name,
			"means", words.What.EN, "error", why, "do", words.Do.EN, "code", code, "stack", crash.StackOf(why))
	case why == nil && before != nil:
		e.board.log.Info("an optional part of the box works again", "part", e.name)
	}
	if record {
		e.board.record(e.name, why)
	}
	if first || (why == nil) != (before == nil) {
		e.board.noticed()
	}
}

// hasWorked reports whether the part has worked since it was asked last.
func (e *extra) hasWorked() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	worked := e.worked
	e.worked = false
	return worked
}

func (e *extra) state() (told bool, why error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.told, e.why
}

// codeOf returns the code of the part's trouble.
func (e *extra) codeOf(why error) condition.Code {
	if e.crashed != "" && crash.StackOf(why) != "" {
		return e.crashed
	}
	return e.code
}

// because returns the part's trouble. What follows from another part's, which says more, is told without its cause.
func (e *extra) because(why error) condition.Finding {
	if errors.Is(why, errUncertified) {
		return condition.Of("link.certificate_waits", "")
	}
	return condition.Because(e.codeOf(why), why)
}

// finding says how the part is.
func (e *extra) finding() condition.Finding {
	told, why := e.state()
	switch {
	case why != nil:
		return e.because(why)
	case !told:
		return condition.Well("未使用", "not used yet")
	}
	return condition.Well("正常", "it works")
}

// together runs parts of one stage until ctx ends.
func together(ctx context.Context, parts ...*extra) error {
	var all sync.WaitGroup
	for _, e := range parts {
		all.Go(func() { _ = e.supervise(ctx) }) // it returns nil
	}
	all.Wait()
	<-ctx.Done()
	return nil
}
