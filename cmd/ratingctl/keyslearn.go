package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"haochaping/device"
	"haochaping/device/keypad"
	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/rating"
)

// learning is what "keys -learn" was told.
type learning struct {
	out       string // the file that is written
	times     int    // that each key is to be heard
	scan      bool   // the speed is unknown
	cards     bool   // it is a card reader
	number    string // that is printed on the first card
	untouched time.Duration
	stdin     io.Reader // for the answers to what is doubted
}

// learn finds out a keypad or a card reader: it shows what comes, asks for one key or card after the other, and writes the profile.
func learn(ctx context.Context, c boxconfig.Config, how learning, stdout io.Writer) error {
	out := &report{w: stdout, lang: cli.LangOf(ctx)}
	switch {
	case how.cards:
		return learnCards(ctx, c, how, out)
	case c.Keys.Source == boxconfig.USB:
		return learnUSB(ctx, c, how, out)
	case c.Keys.Source != boxconfig.Serial:
		return cli.Hint(cli.Errorf("keys.source 是 %q，只能识别串口和 USB 键盘", "keys.source is %q: only serial and USB keypads are learnt", c.Keys.Source),
			"写成 serial，keys.serial.port 写键盘的端口；GPIO 按键用 ratingctl keys 查看每个键的线路",
			"set it to serial and keys.serial.port to the keypad's port; for keys on GPIO lines \"ratingctl keys\" shows which line each is")
	}
	if err := makeRoom(how.out); err != nil {
		return err
	}
	began := time.Now()
	now := func() time.Duration { return time.Since(began) }
	best := rating.Levels()[0].String()
	line, err := learntLine(ctx, c.Keys.Serial.Port, c.Keys.Serial.Profile, c.Keys.Serial.Baud,
		scanning{how.scan, "请按一次“" + best + "”", "press " + best + " once"}, now, out)
	if err != nil {
		return err
	}
	ctx, done := context.WithCancel(ctx)
	defer done()
	l := how.lesson(out, done)
	l.text = hexText
	l.learn = func(o keypad.Observed) (foundKeys, error) {
		learnt, err := keypad.Learn(profileName(how.out), line, o)
		return foundKeys{learnt.Codes, learnt.Ordered, learnt}, err
	}
	l.read = func(k foundKeys, b []byte) (codes []string) {
		for _, r := range k.profile.Profile.NewDecoder().Feed(b) {
			if r.Kind == keypad.Key {
				codes = append(codes, r.Code)
			}
		}
		return codes
	}
	go eachLine(how.stdin, l.answer)
	if err := listen(ctx, device.OpenPort, c.Keys.Serial.Port, line, now, listener{l.open, l.burst, l.pass}); err != nil {
		return err
	}
	learnt, err := l.result()
	if err != nil {
		return err
	}
	if err := writeProfile(out, how.out, learnt.profile.Text); err != nil {
		return err
	}
	return printLearnt(out, c.Keys.Serial.Port, how.out, learnt.profile)
}

// lesson returns a lesson that has not begun.
func (how learning) lesson(out *report, end func()) *lesson {
	l := &lesson{wait: how.untouched, out: out, end: end, learner: keypad.NewLearner(how.times)}
	if how.times == 1 {
		l.wait = 0 // then nothing is told from a key
	}
	return l
}

// learnUSB finds out the five keys of a keypad that types.
func learnUSB(ctx context.Context, c boxconfig.Config, how learning, out *report) error {
	began := time.Now()
	now := func() time.Duration { return time.Since(began) }
	run, err := openKeys(c, now)
	if err != nil {
		return err
	}
	ctx, done := context.WithCancel(ctx)
	defer done()
	l := how.lesson(out, done)
	l.wait = 0 // such a keypad sends nothing by itself
	l.text = func(b []byte) string { return string(b) }
	l.learn = func(o keypad.Observed) (foundKeys, error) {
		k := foundKeys{ordered: true}
		for i, b := range o.Sent {
			k.codes[i] = string(b)
		}
		up := slices.IsSorted(k.codes[:])
		k.ordered = up || slices.IsSortedFunc(k.codes[:], func(a, b string) int { return strings.Compare(b, a) })
		return k, nil
	}
	l.read = func(_ foundKeys, b []byte) []string { return []string{string(b)} }
	go eachLine(how.stdin, l.answer)
	l.open(c.Keys.USB.Device, now())
	var lost error
	err = run(ctx, func(e device.Event) {
		switch e.Action {
		case device.Down:
			l.burst([]byte(e.Code), e.At)
		case device.ActionLost:
			lost = e.Err
			done()
		}
	})
	if err = errors.Join(err, lost); err != nil {
		return readingHint(err)
	}
	learnt, err := l.result()
	if err != nil {
		return err
	}
	out.pasted()
	out.printf("keys.source = \"usb\"\nkeys.usb.device = %q\n", c.Keys.USB.Device)
	printMap(out, learnt.codes)
	return out.err
}

// printLearnt says what was learnt and what is to be pasted.
func printLearnt(out *report, port, file string, l keypad.Learnt) error {
	abs, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	out.printf("\n%s\n", out.lang.Written(l.About))
	if l.Releases {
		out.say("松开按键时键盘会发送，因此知道按了多久。", "It says when a key is let go, so that it is known how long one is held.")
	}
	if l.Repeat > 0 {
		out.say("按住不放时每 %s 重复一次，算一次按键。", "A key that is held sends again every %s; that is one press.", l.Repeat.Round(10*time.Millisecond))
	}
	out.say("配置写在 %s。", "The profile is in %s.", file)
	out.pasted()
	out.printf("keys.source = \"serial\"\nkeys.serial.port = %q\nkeys.serial.profile = %q\n", port, abs)
	printMap(out, l.Codes)
	return out.err
}

// printMap prints the map of keys from the best level to the worst.
func printMap(out *report, codes [5]string) {
	out.printf("keys.map = [\n")
	for i, l := range rating.Levels() {
		out.printf("  { key = %q, level = %d }, # %s\n", codes[i], l, l)
	}
	out.printf("]\n\n")
	out.say("然后用 ratingctl keys 核对每个键。", "Then \"ratingctl keys\" shows whether each key is read as it should.")
}

// pasted says where what follows belongs.
func (r *report) pasted() {
	r.printf("\n")
	r.say("请写入评价器的配置，并按市民面前从左到右的次序排列各键：",
		"Write into the box's configuration, and put the keys in the order in which they stand before the citizen, from left to right:")
	r.printf("\n")
}

// profileName returns what a profile in that file is called.
func profileName(file string) string {
	return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
}

// makeRoom makes the folder of a profile that is to be written, so that nobody presses keys in vain. It refuses a file that is there.
func makeRoom(file string) error {
	if _, err := os.Lstat(file); err == nil {
		return cli.Hint(cli.Errorf("%s 已存在", "%s is there already", file), "用 -out 写另一个文件名，或删除它", "name another file with -out, or remove it")
	}
	dir := filepath.Dir(file)
	_, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(dir, 0o755); err == nil {
			err = os.Chmod(dir, 0o755) // whatever the umask is: the service's user must read what is in it
		}
	}
	if err == nil {
		err = unix.Access(dir, unix.W_OK)
	}
	if err != nil {
		return cli.Hint(cli.Because(err, "配置无法写入 "+dir, "the profile cannot be written to "+dir),
			"用 -out 写另一个文件名，或以 root 运行", "name another file with -out, or become root")
	}
	return nil
}

// learntLine returns how the line is set that is to be listened to, at a speed that is tried out if it is unknown.
func learntLine(ctx context.Context, port, profile string, baud int, unknown scanning, now func() time.Duration, out *report) (keypad.Line,
	error) {
	line := keypad.Line{Baud: 9600, DataBits: 8, Parity: "none", StopBits: 1}
	if p, err := keypad.Find(profile); err == nil {
		line = p.Line
	}
	if baud != 0 {
		line.Baud = baud
	}
	if !unknown.wanted {
		return line, nil
	}
	var err error
	line.Baud, err = scan(ctx, port, line, unknown, now, out)
	return line, err
}

// eachLine calls f with each line that is typed.
func eachLine(r io.Reader, f func(string)) {
	for typed := bufio.NewScanner(r); typed.Scan(); {
		f(typed.Text())
	}
}

// isYes reports whether an answer agrees.
func isYes(s string) bool {
	return slices.Contains([]string{"y", "yes", "是", "对", "是的"}, strings.ToLower(strings.TrimSpace(s)))
}

// writeProfile creates the file, which the service's user can read; one that is there is never replaced. What cannot be written is
// printed, so that what was learnt is not lost.
func writeProfile(out *report, path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Chmod(0o644), f.Close())
	}
	if err != nil {
		out.printf("\n%s\n\n%s\n", out.lang.Say("配置如下：", "This is the profile:"), text)
		return cli.Hint(cli.Because(err, "写配置", "write the profile"), "把上面显示的内容手工写入文件", "put what is printed above into a file by hand")
	}
	return nil
}

// listener is who hears what comes on a line.
type listener struct {
	opened func(port string, now time.Duration)
	heard  func([]byte, time.Duration)
	passed func(now time.Duration) // is called ten times a second
}

// listen listens until ctx ends.
func listen(ctx context.Context, open device.PortOpener, port string, line keypad.Line, now func() time.Duration, l listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				l.passed(now())
			}
		}
	}()
	if err := device.Watch(ctx, open, port, line, now, func() { l.opened(fmt.Sprintf("%s (%d bit/s)", port, line.Baud), now()) },
		l.heard); err != nil {
		return readingHint(err)
	}
	return nil
}

// maxShown is how many bytes of a burst are shown.
const maxShown = 32

// hexText shows bytes in hex, and as text where they are.
func hexText(b []byte) string {
	shown := b[:min(len(b), maxShown)]
	text := make([]byte, len(shown))
	for i, c := range shown {
		if text[i] = c; c < ' ' || c > '~' {
			text[i] = '.'
		}
	}
	more := ""
	if len(b) > maxShown {
		more = fmt.Sprintf(" … %d bytes", len(b))
	}
	return fmt.Sprintf("% x%s  |%s|", shown, more, text)
}

// scanWait is how long a press is waited for at each speed.
const scanWait = 8 * time.Second

// scan listens at one speed after the other and returns the one at which the best key sends what looks like a keypad.
func scan(ctx context.Context, port string, line keypad.Line, how scanning, now func() time.Duration, out *report) (int, error) {
	var all []keypad.Trial
	out.printf("%s\n", out.lang.Say("速率未知。每显示一个速率，"+how.zh+"。", "The speed is unknown. Whenever one is shown, "+how.en+"."))
	for _, baud := range keypad.ScanOrder() {
		line.Baud = baud
		tried := keypad.Trial{Baud: baud}
		one, cancel := context.WithTimeout(ctx, scanWait)
		err := device.Watch(one, device.OpenPort, port, line, now, func() { out.printf("%6d  %s\n", baud, out.lang.Say("现在按", "press now")) },
			func(b []byte, _ time.Duration) {
				if tried.Sent == nil {
					tried.Sent = b
					out.printf("%6d  %s  %s\n", baud, hexText(b), out.lang.Written(tried.Looks()))
					cancel()
				}
			})
		cancel()
		if err != nil {
			return 0, readingHint(err)
		}
		if ctx.Err() != nil {
			return 0, cli.Error("识别速率之前已结束，没有写入任何内容", "ended before the speed was known; nothing was written")
		}
		if tried.Sent == nil {
			out.printf("%6d  %s\n", baud, out.lang.Say("没有收到", "nothing came"))
		}
		all = append(all, tried)
	}
	baud, err := keypad.BestSpeed(all)
	if err != nil {
		return 0, cli.Hint(err, "看上面的显示：速率正确时每次按键都是同样的几个字节。把它写入 keys.serial.baud，不再用 -scan",
			"look at what was shown: the right speed shows the same few bytes at each press. Name it with keys.serial.baud and leave -scan away")
	}
	out.say("速率是每秒 %d 位。", "The speed is %d bits per second.", baud)
	return baud, nil
}
