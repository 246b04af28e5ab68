package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"haochaping/internal/condition"
	"haochaping/internal/opsapi"
	"haochaping/internal/sdnotify"
	"haochaping/internal/terminal"
)

// watched says how often parts have answered a look, and looks again when it is woken.
type watched interface {
	Answers(parts ...string) []uint64
	Wake()
}

// supervisor tells the service manager how the box is, and lets its watchdog kill a box that hangs. The kill is a SIGABRT, on
// which Go writes to the log what each goroutine was doing.
type supervisor struct {
	manager sdnotify.Told
	ready   <-chan struct{} // closed when the window can be served
	watched watched
	parts   []string // without which the box serves nobody, and which must never hang
	status  func() string
	logger  *slog.Logger
}

// supervisePause is how often at least the parts are looked at and the status is told.
const supervisePause = 5 * time.Second

// run tells the manager until ctx ends, and then that the box is stopping. A part that hangs is not waited for.
func (s supervisor) run(ctx context.Context) error {
	select {
	case <-s.ready:
	case <-ctx.Done():
		if err := s.manager.Stopping(); err != nil {
			s.logger.Warn("the service manager does not hear the box", "error", err)
		}
		return nil
	}
	fed, waiting := s.watched.Answers(s.parts...), []string(nil) // when the watchdog was last fed, and what was late at the last look
	s.watched.Wake()
	sdnotify.Supervisor{Manager: s.manager, Pause: supervisePause, Status: s.status, Logger: s.logger, Look: func(context.Context) bool {
		now := s.watched.Answers(s.parts...)
		late := s.late(fed, now)
		if len(late) == 0 {
			fed = now
		} else if !slices.Equal(late, waiting) {
			s.logger.Error("a part of the box hangs; unless it goes on, the service manager starts the box anew", "part", strings.Join(late, ", "))
		}
		waiting = late
		s.watched.Wake()
		return len(late) == 0
	}}.Run(ctx)
	return nil
}

// late names the parts that have not answered since the watchdog was last fed, by the numbers of their answers.
func (s supervisor) late(fed, now []uint64) []string {
	var out []string
	for i, name := range s.parts {
		if now[i] == fed[i] {
			out = append(out, name)
		}
	}
	return out
}

// handing is the way of events from the keypad into the box. A keypad that is quiet is as good as one that is pressed; one
// whose events are not taken hangs.
type handing chan struct{} // holds a value while an event is handed over

func newHanding() handing { return make(handing, 1) }

func (h handing) do(f func()) {
	h <- struct{}{}
	defer func() { <-h }()
	f()
}

// probe returns nil once no event is being handed over.
func (h handing) probe(ctx context.Context) error {
	select {
	case h <- struct{}{}:
		<-h
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// statusText says in a line what the box does, for "systemctl status": in Chinese for the hall, in English for the log's
// readers elsewhere. Like everything outside the centre it tells nothing of an answer.
func statusText(v terminal.Public, who identity, h opsapi.Health, pending uint64) string {
	state := map[terminal.State][2]string{
		terminal.Starting: {"启动中", "starting"},
		terminal.Idle:     {"等待办件", "idle"},
		terminal.Asking:   {"正在评价", "asking"},
		terminal.Paused:   {"已暂停", "paused"},
		terminal.Closed:   {"已关闭，无人签到", "closed: nobody is signed in"},
	}[v.State]
	if v.State == terminal.Enrolling {
		state = [2]string{
			fmt.Sprintf("未登记，请在中心登记 %s（指纹 %s）", who.device, who.fingerprint()),
			fmt.Sprintf("not enrolled: add %s at the centre, fingerprint %s", who.device, who.fingerprint()),
		}
	}
	if part := h.Part(enrolmentPart); v.State == terminal.Enrolling && part.Level == condition.Ill { // it says under which code the box waits
		state = [2]string{part.What.ZH, part.What.EN}
	}
	if why, ill := map[terminal.Problem][2]string{
		terminal.StoreProblem:  {"无法保存", "the disk cannot be written"},
		terminal.KeypadProblem: {"读不到键盘", "the keypad cannot be read"},
	}[v.Problem]; ill {
		if v.Word() == terminal.Fault {
			state = [2]string{"按键停用", "keys out of service"}
		}
		state = [2]string{state[0] + "：" + why[0], state[1] + ": " + why[1]}
	}
	centre := [2]string{"中心已连接", "centre connected"}
	switch link := h.Part(linkPart); {
	case link.Level == condition.Ill:
		centre = [2]string{"中心：" + link.What.ZH, "centre: " + link.What.EN}
	case !link.OK:
		centre = [2]string{"中心未连接", "centre not reached"}
	}
	wait := [2]string{fmt.Sprintf("待上传 %d 条", pending), fmt.Sprintf("%d records wait", pending)}
	if pending == 1 {
		wait[1] = "1 record waits"
	}
	join := func(language int) string {
		return strings.Join([]string{state[language], centre[language], wait[language]}, "; ")
	}
	return strings.ReplaceAll(join(0), "; ", "，") + " / " + join(1)
}
