package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/opsapi"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
)

// testTime is how long the test picture stays.
const testTime = 30 * time.Second

// Errors of the test picture, whose texts go to the centre's page.
var (
	errNoScreen = cli.Error("这台评价器没有配置屏幕", "this box has no screen")
	errServes   = cli.Error("正在服务市民或正在启动，没有显示测试画面；请稍后再试，自助评价的窗口请先暂停",
		"somebody is being served, or the box is starting; try again later, and pause a walk-up window first")
	errTesting  = cli.Error("正在显示测试画面", "the test picture is being shown")
	errLearning = cli.Error("正在学习按键，没有显示测试画面", "the keys are being learnt; the test picture is not shown")
	errUndrawn  = cli.Error("屏幕没有在两秒内显示测试画面", "the screen did not show the test picture within two seconds")
	errFaulty   = cli.Error("屏幕有故障，不能显示测试画面", "the screen has a fault and cannot show the test picture")
)

// testCard is one showing of the test picture.
type testCard struct {
	drawn chan string   // gets what is wrong with the screen, empty for nothing, once it was drawn
	ended chan struct{} // closed when somebody or something else needs the screen
}

// seen takes that the card was drawn, and what is wrong with the screen.
func (c *testCard) seen(trouble *string) {
	if c == nil {
		return
	}
	said := ""
	if trouble != nil {
		said = *trouble
	}
	select {
	case c.drawn <- said:
	default: // it was drawn before
	}
}

// end ends a card if there is one. It returns the one that is there then, which is none.
func (c *testCard) end() *testCard {
	if c != nil {
		close(c.ended)
	}
	return nil
}

// unserved reports whether a view shows that nobody is being served and no question is open.
func unserved(v terminal.View) bool { return v.Visit == nil && v.Ended == nil && restful(v.State) }

// tests has a card shown, with the lamps and one sound.
func (a *audience) tests(c *testCard) (err error) {
	a.shown.update(func(p *picture) {
		switch {
		case p.test != nil:
			err = errTesting
		case p.lesson.on:
			err = errLearning
		case !unserved(p.view):
			err = errServes
		default:
			p.test = c
			// As thanks and a question that is asked again sound, neither of which is of a visit.
			a.play(terminal.View{State: terminal.Correcting, Chosen: rating.VerySatisfied},
				terminal.View{State: terminal.Asking, AskAgain: true})
		}
	})
	return err
}

// light lights all lamps of a card that is still shown.
func (a *audience) light(c *testCard) {
	a.shown.update(func(p *picture) {
		if p.test == c {
			a.lamps.update(func(g *glimpse) { g.View = terminal.View{State: terminal.Asking} })
		}
	})
}

// tested ends a card, if nothing has ended it.
func (a *audience) tested(c *testCard) {
	a.shown.update(func(p *picture) {
		if p.test == c {
			p.test = p.test.end()
			a.play(p.view, p.view)
		}
	})
}

// tester shows the test picture when the centre asks for it.
type tester struct {
	screen bool // there is one to show it on
	watch  *keyWatch
	views  *audience
	begun  chan *testCard
	log    *slog.Logger
}

func newTester(c boxconfig.Screen, watch *keyWatch, views *audience, log *slog.Logger) *tester {
	return &tester{screen: c.Seen(), watch: watch, views: views,
		begun: make(chan *testCard, 1), log: log}
}

// show begins to show the test picture, and returns when the screen shows it.
func (t *tester) show(ctx context.Context) error {
	if !t.screen {
		return errNoScreen
	}
	c := &testCard{drawn: make(chan string, 1), ended: make(chan struct{})}
	if err := t.views.tests(c); err != nil {
		return err
	}
	select {
	case t.begun <- c:
	default: // the last one is just ending
		t.views.tested(c)
		return errTesting
	}
	select {
	case trouble := <-c.drawn:
		if trouble == "" {
			return nil
		}
		t.views.tested(c)
		return fmt.Errorf("%w: %s", errFaulty, trouble)
	case <-c.ended:
		return errServes
	case <-ctx.Done():
		t.views.tested(c)
		return errUndrawn
	}
}

// run ends test pictures when a key is pressed or their time is over, until ctx ends.
func (t *tester) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case c := <-t.begun:
			t.stay(ctx, c)
		}
	}
}

// stay returns when a card is no longer shown.
func (t *tester) stay(ctx context.Context, c *testCard) {
	ctx, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	lamps := time.AfterFunc(2*buzzerTime, func() { t.views.light(c) })
	defer lamps.Stop()
	go func() {
		select {
		case <-c.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := t.watch.watch(ctx, func(e opsapi.KeyEvent) error {
		if e.What == opsapi.KeyDown || e.What == opsapi.KeyTogether {
			return context.Canceled
		}
		return nil
	})
	t.views.tested(c)
	t.log.Info("the test picture is over", "by_key", errors.Is(err, context.Canceled))
}
