package main

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"haochaping/device"
	"haochaping/device/keypad"
	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
)

// errNoReader says that no reader is configured.
var errNoReader = cli.Hint(cli.Error("未配置读卡器", "no card reader is configured"), "cards.port 写读卡器的串口；像键盘一样输入的读卡器写 cards.device",
	"set cards.port to its serial port, or cards.device to its input device if it types as a keyboard does")

// showCards prints what the card reader reads, until ctx ends. The numbers are for the list of the window's staff.
func showCards(ctx context.Context, c boxconfig.Config, stdout io.Writer) error {
	out := &report{w: stdout, lang: cli.LangOf(ctx)}
	if !c.Cards.Configured() {
		return errNoReader
	}
	profile, err := keypad.Find(c.Cards.Profile)
	if err != nil {
		return err
	}
	began := time.Now()
	at := readerOf(c.Cards)
	cfg := device.SerialConfig{
		Port: at.name, Open: at.open, Baud: c.Cards.Baud, Profile: profile,
		Now: func() time.Duration { return time.Since(began) }, Logger: slog.New(slog.DiscardHandler),
	}
	out.say("请逐张刷卡。按 Ctrl-C 结束。", "Hold one card after the other to the reader. End with Ctrl-C.")
	if err := device.NewCardReader(cfg).Run(ctx, func(card device.Card) {
		at := card.At.Round(time.Millisecond)
		switch card.Kind {
		case device.CardShown:
			out.printf("%10s  card = %q\n", at, card.Number)
		case device.CardUnread:
			out.say("%10s  不符合 %s；ratingctl keys -learn -cards 识别读卡器",
				"%10s  not understood by the profile %s; ratingctl keys -learn -cards finds out the reader", at, profile.Name)
		case device.ReaderLost:
			out.say("%10s  读不到读卡器：%v", "%10s  the reader cannot be read: %v", at, card.Err)
		case device.ReaderBack:
			out.say("%10s  又能读到读卡器", "%10s  the reader can be read again", at)
		}
	}); err != nil {
		return readingHint(err)
	}
	return out.err
}

const (
	// nextCardWait is how long another card is waited for, once there is one.
	nextCardWait = 20 * time.Second
	// heldAgain is after what silence a card was surely taken away.
	heldAgain = 5 * time.Second
)

// cardLesson asks for cards until enough are known. It is safe for concurrent use.
type cardLesson struct {
	out *report
	end func()

	mu      sync.Mutex
	began   time.Duration // guarded by mu, as all below
	asked   time.Duration
	again   int // times that a card was shown that is known
	last    time.Duration
	learner *keypad.CardLearner
	failed  error
	over    bool
}

func (l *cardLesson) open(where string, now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.began, l.asked = now, now
	l.out.say("正在监听 %s。按 Ctrl-C 结束。", "Listening on %s. End with Ctrl-C.", where)
	l.out.say("请刷一张卡，直到认出为止。", "Hold a card to the reader, and again until it is taken.")
}

// pass ends the lesson if nobody has another card.
func (l *cardLesson) pass(now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.learner.Cards() > 0 && now-l.asked > nextCardWait {
		l.finish(nil)
	}
}

func (l *cardLesson) burst(b []byte, at time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	heard, err := l.learner.Burst(b, at)
	word := map[keypad.Heard][2]string{
		keypad.Once: {"收到；请再刷同一张卡", "heard; hold the same card to the reader again"}, keypad.Taken: {"已认出", "taken"},
		keypad.Earlier: {"这张卡已知", "that card is known"}, keypad.Held: {"同一张卡", "the same card"},
	}[heard]
	l.out.printf("%10s  %s  %s\n", (at - l.began).Round(time.Millisecond), hexText(b), l.out.lang.Say(word[0], word[1]))
	if (heard == keypad.Held || heard == keypad.Earlier) && at-l.last > heldAgain {
		l.again++ // it was away, and there seems to be no other
	}
	l.last = at
	switch {
	case err != nil:
		l.finish(err)
	case l.learner.Cards() == keypad.MaxCards, l.again >= 2:
		l.finish(nil)
	case heard == keypad.Taken:
		l.asked = at
		l.out.say("请刷另一张卡，直到认出为止；没有则等待 %s。",
			"Hold another card to the reader, and again until it is taken. If there is none, wait for %s.", nextCardWait)
	}
}

// finish needs mu.
func (l *cardLesson) finish(err error) {
	l.over, l.failed = true, err
	l.end()
}

// samples returns what was heard of each card.
func (l *cardLesson) samples() ([][]byte, time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		return nil, 0, cli.Hint(cli.Error("识别读卡器之前已结束，没有写入任何内容", "ended before the reader was known; nothing was written"),
			"刷卡没有显示时，检查接线和端口，或用 -scan 试其他速率", "if a card shows nothing, check the cable and the port, or try other speeds with -scan")
	}
	return l.learner.Samples(), l.learner.Repeat(), l.failed
}

// readerAt is where a card reader is read.
type readerAt struct {
	field, name string // of the configuration
	open        device.PortOpener
}

// readerOf returns where the configured card reader is read.
func readerOf(c boxconfig.Cards) readerAt {
	if c.Device != "" {
		return readerAt{"cards.device", c.Device, device.OpenTyped}
	}
	return readerAt{"cards.port", c.Port, device.OpenPort}
}

// learnCards finds out a card reader and writes its profile.
func learnCards(ctx context.Context, c boxconfig.Config, how learning, out *report) error {
	if !c.Cards.Configured() {
		return errNoReader
	}
	at := readerOf(c.Cards)
	how.scan = how.scan && c.Cards.Device == "" // what types has no speed
	if err := makeRoom(how.out); err != nil {
		return err
	}
	began := time.Now()
	now := func() time.Duration { return time.Since(began) }
	line, err := learntLine(ctx, c.Cards.Port, c.Cards.Profile, c.Cards.Baud, scanning{how.scan, "请刷一次卡", "hold a card to the reader once"},
		now, out)
	if err != nil {
		return err
	}
	ctx, done := context.WithCancel(ctx)
	defer done()
	l := &cardLesson{out: out, end: done, learner: keypad.NewCardLearner(how.times)}
	if err := listen(ctx, at.open, at.name, line, now, listener{l.open, l.burst, l.pass}); err != nil {
		return err
	}
	cards, repeat, err := l.samples()
	if err != nil {
		return err
	}
	learnt, err := keypad.LearnCards(profileName(how.out), line, cards, how.number, repeat)
	if err != nil {
		return err
	}
	if err := writeProfile(out, how.out, learnt.Text); err != nil {
		return err
	}
	return printCards(out, at, how.out, learnt)
}

// printCards says what was learnt and what is to be pasted.
func printCards(out *report, at readerAt, file string, l keypad.LearntCards) error {
	profile, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	out.printf("\n%s\n", out.lang.Written(l.About))
	if l.Shipped != "" {
		out.say("内置的 %s 能读取；%s 是其副本。", "The built-in profile %s reads it; %s is a copy.", l.Shipped, file)
		profile = l.Shipped
	} else {
		out.say("配置写在 %s。", "The profile is in %s.", file)
	}
	out.say("请写入评价器的配置：", "Write into the box's configuration:")
	out.printf("\n%s = %q\ncards.profile = %q\n\n", at.field, at.name, profile)
	out.say("刷过的卡，写入窗口人员名单：", "The cards that were held to the reader are, in the list of the window's staff:")
	out.printf("\n")
	for _, n := range l.Numbers {
		out.printf("card = %q\n", n)
	}
	out.printf("\n")
	out.say("如果第一张卡上印的是另一个号码，用 -number 加该号码再识别一次；ratingctl keys -cards 显示其他卡的号码。",
		"If another number is printed on the first card, learn again with -number and that number; ratingctl keys -cards shows what other "+
			"cards are read as.")
	if len(l.Numbers) == 1 {
		out.say("只刷了一张卡：使用前请再试其他卡。", "Only one card was heard: try others before the reader is used.")
	}
	return out.err
}

// scanning is what an unknown speed is tried out with.
type scanning struct {
	wanted bool
	zh, en string // what is to be done at each speed
}
