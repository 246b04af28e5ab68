package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"haochaping/device"
	"haochaping/device/keypad"
	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
)

// keyCounts is what the health report says of the keys. It is safe for concurrent use.
type keyCounts struct {
	unknown, stuck atomic.Uint64
	lost           atomic.Bool
	why            atomic.Pointer[error] // of the last loss, nil if there was none
}

// lostWhy returns why the keypad could not be read when it was lost last, nil if it never was.
func (c *keyCounts) lostWhy() error {
	if why := c.why.Load(); why != nil {
		return *why
	}
	return nil
}

// keyMap returns the configured map of keys, the empty one of a box whose lines nobody has said.
func keyMap(c boxconfig.Keys) (device.Map, error) {
	if len(c.Map) == 0 && c.Source == boxconfig.GPIO {
		return device.Map{}, nil
	}
	var all []device.Binding
	for _, k := range c.Map {
		all = append(all, device.Binding{Code: device.Code(k.Key), Level: k.Level})
	}
	return device.NewMap(all)
}

// onSignal turns what the keypad says into what the terminal understands.
func onSignal(s device.Signal, when func(time.Duration) rating.Stamp, counts *keyCounts, fresh func() rating.VisitID,
	log *slog.Logger) (terminal.Event, bool) {
	at := when(s.At)
	trouble := func(name string) (terminal.Event, bool) {
		return terminal.KeyTrouble{At: at, Name: name, Key: string(s.Code)}, true
	}
	switch s.Kind {
	case device.Press:
		p := terminal.Press{At: at, Level: s.Level}
		if s.Times > 1 {
			p.Again = terminal.Again{Since: when(s.Since), Times: s.Times}
		}
		return p, true
	case device.Together:
		return terminal.KeysTogether{At: at}, true
	case device.StaffKey:
		return terminal.StaffKey{At: at, ID: fresh()}, true
	case device.NoPress:
		return terminal.NoPress{At: at}, true
	case device.Unknown:
		counts.unknown.Add(1)
		if s.Code.IsNoKey() {
			log.Warn("what the keypad sends is no key; it counts for nothing. If no key is read, its speed or its profile is another", "bytes",
				s.Code)
			return trouble(rating.EventUnknownKey)
		}
		log.Warn("a key without a level was pressed; it counts for nothing. Add it to keys.map if it is one of the five", "key", s.Code)
		return trouble(rating.EventUnknownKey)
	case device.Stuck:
		counts.stuck.Add(1)
		log.Warn("a key has been down, or has repeated, for too long; it is ignored until it is let go", "key", s.Code)
		return trouble(rating.EventStuckKey)
	case device.Released:
		return trouble(rating.EventReleasedKey)
	case device.Lost:
		err := s.Err
		if err == nil {
			err = errors.New("the keypad cannot be read")
		}
		counts.why.Store(&err)
		counts.lost.Store(true)
		log.Error("the keypad cannot be read; the QR code works", "error", err)
		return terminal.KeypadLost{At: at, Err: err.Error()}, true
	case device.Back:
		counts.lost.Store(false)
		log.Info("the keypad can be read again")
		return terminal.KeypadBack{At: at}, true
	}
	return nil, false
}

// keypadReader reads the configured keypad and says what the presses mean.
type keypadReader struct {
	levels      device.Map
	source      keySource
	interpreter *device.Interpreter
	counts      keyCounts
	handed      handing
	clock       clock
	log         *slog.Logger
}

// newKeypadReader returns a reader that opens nothing before run.
func newKeypadReader(c boxconfig.Keys, clk clock, env environment, log *slog.Logger) (*keypadReader, error) {
	levels, err := keyMap(c)
	if err != nil {
		return nil, err
	}
	source, err := newKeySource(c, env, log)
	if err != nil {
		return nil, err
	}
	return &keypadReader{levels: levels, source: source, interpreter: device.NewInterpreter(levels, device.Code(c.Staff)),
		handed: newHanding(), clock: clk, log: log}, nil
}

// run tells the terminal what happens at the keypad until ctx ends.
func (k *keypadReader) run(ctx context.Context, loop *terminal.Loop) error {
	return k.source.run(ctx, func(e device.Event) {
		k.handed.do(func() {
			for _, s := range k.interpreter.Step(e) {
				if event, ok := onSignal(s, k.clock.at, &k.counts, loop.Fresh, k.log); ok {
					loop.Post(event)
				}
			}
		})
	})
}

// keySource is a configured keypad.
type keySource struct {
	run       func(ctx context.Context, emit func(device.Event)) error
	simulated *device.Simulated   // nil unless the keys are simulated
	prompt    func(terminal.View) // tells the keypad what the screen shows
	watch     *keyWatch
	lend      func(context.Context, func() error) error // lets somebody else read a serial keypad's port or the GPIO lines; nil for others
}

// promptFor returns what the keypad is to show with a view of the screen.
func promptFor(v terminal.View) keypad.Prompt {
	switch {
	case v.Problem != "":
		return keypad.Fault
	case v.State == terminal.Asking:
		return keypad.Asking
	case v.State == terminal.Correcting, v.State == terminal.Explaining: // nothing new is to be heard, and the keys go on
		return keypad.Thanks
	}
	return keypad.Idle
}

// newKeySource returns the configured keypad, which can be watched.
func newKeySource(c boxconfig.Keys, env environment, log *slog.Logger) (keySource, error) {
	s, err := newKeypad(c, env, log)
	if err != nil {
		return s, err
	}
	run, prompt, watch := s.run, s.prompt, newKeyWatch(env.mono)
	s.watch = watch
	s.run = func(ctx context.Context, emit func(device.Event)) error {
		return run(ctx, func(e device.Event) {
			emit(e)
			watch.event(e)
		})
	}
	s.prompt = func(v terminal.View) {
		watch.view(v)
		if prompt != nil {
			prompt(v)
		}
	}
	return s, nil
}

func newKeypad(c boxconfig.Keys, env environment, log *slog.Logger) (keySource, error) {
	switch c.Source {
	case boxconfig.Simulated:
		s := device.NewSimulated(env.mono)
		return keySource{run: s.Run, simulated: s}, nil
	case boxconfig.Serial:
		profile, err := keypad.Find(c.Serial.Profile)
		if err != nil {
			return keySource{}, err
		}
		s := device.NewSerial(device.SerialConfig{Port: c.Serial.Port, Baud: c.Serial.Baud, Profile: profile, Keys: codes(c), Now: env.mono,
			Logger: log})
		source := lent(s.Run, env)
		source.prompt = func(v terminal.View) { s.Prompt(promptFor(v)) }
		return source, nil
	case boxconfig.USB:
		return keySource{run: device.NewUSB(device.USBConfig{Device: c.USB.Device, Keys: codes(c), Now: env.mono}).Run}, nil
	}
	return lent(func(ctx context.Context, emit func(device.Event)) error { return runGPIO(ctx, c, env, emit, log) }, env), nil
}

// lent returns a keypad that others can be lent.
func lent(read func(context.Context, func(device.Event)) error, env environment) keySource {
	port := newPortLoan(env.mono)
	run := func(ctx context.Context, emit func(device.Event)) error { return port.run(ctx, read, emit) }
	return keySource{run: run, lend: port.lend}
}

// codes returns the keys that are configured, the staff's own included.
func codes(c boxconfig.Keys) (all []device.Code) {
	for _, name := range c.Names() {
		all = append(all, device.Code(name))
	}
	return all
}

// gpioRetry is how often lines that could not be opened are tried again: somebody may be at the wiring.
const gpioRetry = 5 * time.Second

// errUnwired says that the keys cannot be read since nobody knows where they are.
var errUnwired = cli.Error("还不知道五个键接在哪些 GPIO 线上，请在管理页面点“学习按键”",
	"nobody has said on which GPIO lines the keys hang; have them learnt on the centre's page")

// runGPIO reads the keys on GPIO lines. Without the lines the box still asks, by the QR code, and says what is wrong.
func runGPIO(ctx context.Context, c boxconfig.Keys, env environment, emit func(device.Event), log *slog.Logger) error {
	refs, lost := c.Names(), false
	if len(c.Map) == 0 {
		emit(device.Event{Source: "gpio", Action: device.ActionLost, At: env.mono(), Err: errUnwired})
		<-ctx.Done()
		return nil
	}
	source := device.NewGPIO(device.GPIOConfig{Debounce: time.Duration(c.GPIO.Debounce), ActiveHigh: c.GPIO.ActiveHigh, Now: env.mono,
		Logger: log, Opened: func() {
			if lost {
				lost = false
				emit(device.Event{Source: "gpio", Action: device.ActionBack, At: env.mono()})
			}
		}})
	for {
		lines, closer, err := env.openGPIO(refs)
		if err == nil {
			source.Use(lines)
			err = source.Run(ctx, emit)
			err = errors.Join(err, closer.Close())
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !lost {
			lost = true
			emit(device.Event{Source: "gpio", Action: device.ActionLost, At: env.mono(), Err: err})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(gpioRetry):
		}
	}
}
