package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"haochaping/internal/proof/faultnet"
	"haochaping/internal/proof/mosquitto"
	"haochaping/internal/proof/simulation"
	"haochaping/internal/rating"
	"haochaping/store"
)

// newLine returns a network between this machine, which is the box's, and another, which is the centre's.
func newLine(t *testing.T, n byte) *faultnet.Line {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	// Two runs of this test on one machine should not meet.
	l, err := faultnet.NewLine(byte(os.Getpid()%60)*4 + n)
	switch {
	case errors.Is(err, faultnet.ErrUnable):
		t.Skip(err)
	case err != nil && os.Getenv("CI") == "":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// networkLine puts the centre behind a line that carries IP packets as badly as it is told to.
func networkLine(t *testing.T, program string) {
	var tests parallel
	next := byte(0) // at most 4
	for _, broker := range []string{"embedded", "mosquitto"} {
		for name, test := range map[string]func(*testing.T, *patient, *faultnet.Line){"half open": halfOpen, "2G": secondGeneration} {
			if name == "2G" && broker == "mosquitto" && !simulation.Long() {
				continue // the line is what is thin, before either broker
			}
			next++
			n := next
			tests.run(t, broker+"/"+name, func(t *testing.T) {
				l := newLine(t, n)
				w := &world{t: t, dir: t.TempDir(), centrald: program, command: l.Command}
				name := fmt.Sprintf("line-%d", n)
				if broker == "mosquitto" {
					w.mqtt = farMosquitto(t, l)
					w.launch(fmt.Sprintf("broker.url = \"mqtt://%s\"\n", w.mqtt))
				} else {
					passwords := filepath.Join(w.dir, "passwords")
					hash := sha256.Sum256([]byte("secret"))
					writeFile(t, passwords, name+" "+hex.EncodeToString(hash[:])+"\n")
					w.launch(fmt.Sprintf("broker.listen = \"%s:0\"\nbroker.passwords_file = %q\n", l.Far, passwords))
				}
				password := filepath.Join(w.dir, "password")
				writeFile(t, password, "secret")
				test(t, admit(t, w, name, "mqtt://"+w.mqtt, fmt.Sprintf("uplink.password_file = %q\n", password)), l)
			})
		}
	}
	tests.wait()
}

// halfOpen drops every packet, so that neither side learns that the connection is of no use.
func halfOpen(t *testing.T, p *patient, l *faultnet.Line) {
	p.start()
	p.suffer(fault{"packets vanish", 25 * time.Second, true,
		func(*patient) { l.Set(faultnet.Conditions{Loss: 1}) }, func(*patient) { l.Set(faultnet.Conditions{}) }})
	p.discharge()
}

// edge is a line as where a hall has only GPRS: 1 KB/s, 1.2 s there and back, one packet of twenty lost.
func edge() faultnet.Conditions {
	return faultnet.Conditions{Delay: 600 * time.Millisecond, Loss: 0.05, Rate: 1000}
}

// secondGeneration lets a box with a backlog find a thin line. It must come through, however slowly.
func secondGeneration(t *testing.T, p *patient, l *faultnet.Line) {
	bytes := p.backlog(40)
	l.Set(edge())
	p.start()
	start := time.Now()
	p.rateFor(3 * time.Second)
	took := p.drained("through a thin line", 170*time.Second)
	t.Logf("%d KB in %.0f s, while citizens rated: %d bytes/s of records on a line of 1000", bytes/1000, took.Seconds(),
		bytes/int(time.Since(start).Seconds()))
	l.Set(faultnet.Conditions{})
	p.discharge()
}

// backlog fills the box's log with visits of the past and returns how many bytes of records they are.
func (p *patient) backlog(visits int) (bytes int) {
	db, err := store.Open(filepath.Join(p.state, "log.db"),
		store.Options{Device: rating.DeviceID(p.name), Random: rand.Reader, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		p.t.Fatal(err)
	}
	window := rating.Window{ID: p.name, Name: "综合窗口", Hall: "市民中心政务服务大厅", Generation: 1}
	for i := range visits {
		at := rating.Stamp{Boot: 1, Mono: int64(i) * 1000, Wall: time.Now().UnixMilli(), Synced: true}
		visit := rating.Visit{ID: rating.VisitID(i + 1), Window: window, Staff: rating.Staff{ID: "0417"}, Grouping: rating.Single,
			Subjects: []rating.Subject{rating.StaffSubject}, Opener: rating.OpenedByPC, WaitSec: 60}
		_, err := db.Append(rating.VisitBody(at, visit),
			rating.EvaluationBody(at, rating.Evaluation{Visit: visit.ID, Subject: rating.StaffSubject, Level: 5, Channel: rating.Keypad}),
			rating.OutcomeBody(at, rating.Closing{Visit: visit.ID, Outcome: rating.Rated}))
		if err != nil {
			p.t.Fatal(err)
		}
		p.pressed[visit.ID.String()] = map[rating.Level]bool{5: true}
		p.remember(visit.ID.String(), 5)
	}
	_, records, err := db.Pending(0, 3*visits, 1<<30)
	if err != nil || len(records) != 3*visits {
		p.t.Fatalf("%d records are pending, want %d: %v", len(records), 3*visits, err)
	}
	for _, r := range records {
		bytes += len(r)
	}
	if err := db.Close(); err != nil {
		p.t.Fatal(err)
	}
	return bytes
}

// farMosquitto starts a mosquitto on the far machine and returns its address.
func farMosquitto(t *testing.T, l *faultnet.Line) string {
	t.Helper()
	program := mosquitto.Need(t)
	config := filepath.Join(t.TempDir(), "mosquitto.conf")
	writeFile(t, config, "listener 1883 "+l.Far+"\nallow_anonymous true\n")
	mosquitto.Run(t, l.Command(program, "-c", config), l.Far+":1883")
	return l.Far + ":1883"
}
