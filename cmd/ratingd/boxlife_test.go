package main

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"haochaping/internal/proof/faultnet"
)

// TestACertificateIsRenewed lets two thirds of a certificate's life pass. The next one is tried before it takes the old one's place: as
// long as the broker cannot be reached, the old one stays. Nothing that citizens say meanwhile is lost, also in a power cut.
func TestACertificateIsRenewed(t *testing.T) {
	lives(t, func(t *testing.T, l *life) {
		b := l.born("renews", "")
		l.accept(b, "SL-H2-B01")
		b.rated()
		b.settle()
		b.stop()
		old := l.ages(b, 140*days)
		l.proxy.Set(faultnet.Hangup)
		b.launch()
		b.said.Wait(t, "the broker does not take the new certificate", 1)
		if !b.certificate().Equal(old) {
			t.Error("a certificate that nobody has tried took the old one's place")
		}
		b.rated()
		b.cut()
		l.proxy.Later(faultnet.Pass)
		b.launch()
		next := b.follows(old)
		b.rated()
		b.stop()
		b.launch()
		b.serves()
		b.settle()
		if left := time.Until(next.NotAfter); left < 179*days {
			t.Errorf("the next certificate ends in %v", left)
		}
		text := l.admin.get("/fleet/boxes/" + b.bound["device"])
		for _, serial := range []string{old.SerialNumber.Text(16), next.SerialNumber.Text(16)} {
			if !strings.Contains(text, serial) {
				t.Errorf("the page does not name %s:\n%s", serial, text)
			}
		}
		if strings.Contains(text, late) {
			t.Errorf("the page says that it was renewed late:\n%s", text)
		}
		b.stop()
		l.counts(b, 3)
	})
}

// late is what a box's page says of a certificate that came after the end of the one before.
const late = "过期后续签"

// TestAnEndedCertificateIsRenewed switches on a box that was in a cupboard: it asks citizens, renews with its old key without anybody, and
// its page says so. After half a year more it needs somebody again, and keeps what it holds.
func TestAnEndedCertificateIsRenewed(t *testing.T) {
	lives(t, func(t *testing.T, l *life) {
		b := l.born("cupboard", "")
		l.accept(b, "SL-H2-B01")
		b.rated()
		b.settle()
		b.stop()
		old := l.ages(b, 200*days)
		b.launch()
		b.rated()
		next := b.follows(old)
		b.serves()
		b.settle()
		if until := time.Until(next.NotAfter); until < 179*days {
			t.Errorf("the next certificate ends in %v", until)
		}
		if text := l.admin.get("/fleet/boxes/" + b.bound["device"]); !strings.Contains(text, late) {
			t.Errorf("the page does not say that it was renewed late:\n%s", text)
		}
		b.stop()
		l.ages(b, 400*days)
		l.proxy.Set(faultnet.Hangup)
		b.launch()
		b.showsCode()
		l.proxy.Later(faultnet.Pass)
		l.accept(b, "SL-H2-B01")
		b.rated()
		b.settle()
		b.stop()
		l.counts(b, 3)
	})
}

// TestARevokedBoxIsPutOut revokes the certificate of a box that is connected. It is out within a minute, also of a broker elsewhere, whose
// timer brings the list; another box stays or is back, and the revoked one is let in again by its code.
func TestARevokedBoxIsPutOut(t *testing.T) {
	lives(t, func(t *testing.T, l *life) {
		b, other := l.born("revoked", ""), l.born("other", "")
		l.accept(b, "SL-H2-B01")
		l.accept(other, "SL-H2-B02")
		l.relist()
		b.serves()
		other.serves()
		b.rated()
		b.settle()
		l.admin.post("/fleet/boxes/"+b.bound["device"]+"/revoke", url.Values{"reason": {"测试"}})
		took := l.out(b)
		t.Logf("the box was out %v after it was revoked", took.Round(100*time.Millisecond))
		code := b.showsCode().Code
		other.serves()
		other.rated()
		other.settle()
		l.admit(b, code, "SL-H2-B01")
		b.serves()
		b.rated()
		b.settle()
		b.stop()
		other.stop()
		l.counts(b, 2)
		l.counts(other, 1)
	})
}

// out waits until a box's connection is gone for good, while a broker elsewhere gets its list, and returns how long that took.
func (l *life) out(b *box) time.Duration {
	l.t.Helper()
	began := time.Now()
	for time.Since(began) < time.Minute {
		if s, err := b.look(); err == nil && (s.Offline || s.State == "enrolling") {
			return time.Since(began)
		}
		l.relist()
		time.Sleep(time.Second)
	}
	l.t.Fatal("the box is connected a minute after it was revoked")
	return 0
}
