package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"haochaping/internal/condition"
	"haochaping/internal/opsapi"
	"haochaping/internal/terminal"
	"haochaping/sync/uplink"
)

// linkPart is the way to the centre, as status, metrics and the records have it.
const linkPart = "link"

const (
	// leastRoom is below how many free bytes the next write may fail at any moment.
	leastRoom = 1 << 20
	// hotAt is from how many °C on a processor slows down.
	hotAt = 80
	// farOff is by how much the box's clock may differ from the centre's.
	farOff = 5 * time.Second
)

// parts returns what is looked at, and is the one source of how the box is. Looks may hang with their parts, and are waited for by the
// Monitor alone.
func (o *operations) parts() []opsapi.Watched {
	look := func(name string, vital bool, look func(context.Context) condition.Finding) opsapi.Watched {
		return opsapi.Watched{Name: name, Vital: vital, Look: look}
	}
	plain := func(look func() condition.Finding) func(context.Context) condition.Finding {
		return func(context.Context) condition.Finding { return look() }
	}
	return []opsapi.Watched{
		look("window", false, plain(o.lookAtWindow)), look("store", true, plain(o.lookAtStore)), look("terminal", true, o.lookAtTerminal),
		look("keys", true, o.lookAtKeys), look("screen", false, o.lookAtScreen), look(linkPart, false, plain(o.lookAtLink)),
		look("disk", false, plain(o.lookAtDisk)), look("clock", false, plain(o.lookAtClock)),
		look("certificate", false, plain(o.lookAtCertificate)), look("temperature", false, plain(o.lookAtTemperature)),
	}
}

func (o *operations) lookAtWindow() condition.Finding {
	v := o.loop.View()
	if v.State == terminal.Enrolling {
		if wait := o.views.code(); wait.Text != "" {
			return condition.Of("window.waits", wait.Text+", "+wait.Digits)
		}
		return condition.Of("window.unenrolled", fmt.Sprintf("%s, %s", o.who.device, o.who.fingerprint()))
	}
	return condition.Well(v.Window.Name, v.Window.Name)
}

// lookAtStore writes nothing: a memory card has better uses for its writes. A disk that refuses shows when it is next written
// to, one that has become read-only or full at once.
func (o *operations) lookAtStore() condition.Finding {
	if err := o.db.Probe(); err != nil {
		return condition.Because("store.broken", err)
	}
	var fs unix.Statfs_t
	switch err := unix.Statfs(o.cfg.State, &fs); {
	case err != nil:
		return condition.Because("store.folder", err)
	case fs.Flags&unix.ST_RDONLY != 0:
		return condition.Of("store.read_only", "")
	case fs.Bavail*uint64(fs.Bsize) < leastRoom:
		return condition.Of("store.full", "")
	case o.loop.View().Problem == terminal.StoreProblem:
		return condition.Of("store.write", "")
	}
	return condition.Well("可以写入", "it can be written")
}

func (o *operations) lookAtTerminal(ctx context.Context) condition.Finding {
	if err := o.loop.Probe(ctx); err != nil {
		return condition.Because("terminal.stopped", err)
	}
	return condition.Well("正常", "it works")
}

func (o *operations) lookAtKeys(ctx context.Context) condition.Finding {
	if err := o.keys.handed.probe(ctx); err != nil {
		return condition.Hangs("keys")
	}
	if o.keys.counts.lost.Load() {
		return condition.Because("keys.lost", o.keys.counts.lostWhy())
	}
	if o.loop.View().StuckKey {
		return condition.Of("keys.stuck", "")
	}
	return condition.Well("正常", "they are read")
}

func (o *operations) lookAtScreen(ctx context.Context) condition.Finding {
	if err := o.views.shown.probe(ctx); err != nil {
		return condition.Hangs("screen")
	}
	if why := o.screen.trouble.Load(); why != nil {
		return condition.Because("screen.lost", errors.New(*why))
	}
	if why := o.screen.unmet.Load(); why != nil {
		return condition.Of("screen.mode", *why)
	}
	if o.cfg.Screen.Panel == "none" {
		return condition.Well("未配置屏幕", "no screen is configured")
	}
	return condition.Well("正常", "it is shown")
}

// lookAtLink says how the way to the centre is, from the uplink's own word.
func (o *operations) lookAtLink() condition.Finding {
	if _, why := o.uplink.state(); why != nil {
		return o.uplink.because(why)
	}
	return linkFinding(o.line.link())
}

// linkFinding returns the words for how the way to the centre is.
func linkFinding(l uplink.Link) condition.Finding {
	switch {
	case l.Fault == "":
		return condition.Well("已连接", "connected")
	case l.Fault == uplink.FaultTooLarge && len(l.TooLarge) > 0:
		f, first := condition.Of(condition.Code(l.Fault), ""), l.TooLarge[0]
		f.What.ZH += fmt.Sprintf("：第 %d 条有 %d 字节", first.Seq, first.Bytes)
		f.What.EN += fmt.Sprintf(": number %d has %d bytes", first.Seq, first.Bytes)
		if first.Limit > 0 {
			f.What.ZH += fmt.Sprintf("，上限 %d 字节", first.Limit)
			f.What.EN += fmt.Sprintf(", the limit is %d", first.Limit)
		}
		return f
	}
	return condition.Because(condition.Code(l.Fault), l.Err)
}

func (o *operations) lookAtDisk() condition.Finding {
	var fs unix.Statfs_t
	if err := unix.Statfs(o.cfg.State, &fs); err != nil {
		return condition.Well("", "") // the store says so
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < condition.LeastFree {
		return condition.Of("disk.low", fmt.Sprintf("%d MB", free>>20))
	}
	return condition.Well("空间充足", "it has room")
}

func (o *operations) lookAtClock() condition.Finding {
	if !o.clock.now().Synced {
		return condition.Of("clock.unsynced", "")
	}
	off := time.Duration(o.offset.get()) * time.Millisecond
	if o.line.stats().Acks > 0 && max(off, -off) > farOff {
		return condition.Of("clock.off", fmt.Sprintf("%+.2f s", off.Seconds()))
	}
	return condition.Well("已同步", "synchronised")
}

func (o *operations) lookAtCertificate() condition.Finding {
	days := daysLeft(o.line.cert.Load(), o.clock.now().Time())
	switch {
	case days == nil && o.line.box.Enrols(): // why, the parts enrolment and link say
		return condition.Well("还没有，等待中心签发", "none yet: the box waits for the centre to issue one")
	case days == nil && o.line.cfg.CertFile != "":
		return condition.Well("已配置，还不能使用", "one is configured and cannot be used yet")
	case days == nil:
		return condition.Well("未配置（用密码连接中心）", "none is configured; the password is used")
	case *days < 0:
		return condition.Of("certificate.ended", "")
	case *days < condition.LateCertificate:
		return condition.Of("certificate.ending", fmt.Sprint(*days))
	}
	return condition.Well("有效", "it is valid")
}

func (o *operations) lookAtTemperature() condition.Finding {
	if t := temperature(); t != nil && *t >= hotAt {
		return condition.Of("temperature.hot", fmt.Sprintf("%d °C", *t))
	}
	return condition.Well("正常", "normal")
}
