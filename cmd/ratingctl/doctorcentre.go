package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"time"

	"haochaping/internal/condition"
	"haochaping/internal/kernelclock"
	"haochaping/sync/uplink"
	"haochaping/sync/wire"
)

// checkClock asks the daemon, or the kernel, whether something keeps the clock right.
func checkClock(_ context.Context, p *patient) finding {
	now, offset := time.Now(), ""
	synced, err := kernelclock.Synchronised()
	if s := p.status; s != nil {
		synced, err = s.Clock.Synced, nil
		if o := s.Clock.OffsetMS; o != nil {
			offset = fmt.Sprintf("，与中心相差 %+.2f 秒", float64(*o)/1000)
		}
	}
	switch {
	case err != nil:
		return trouble(noted, "不知道时钟是否同步："+err.Error(), "it is not known whether the clock is right: "+err.Error(), "评价不受影响",
			"evaluations are safe",
			"启动 ratingd 后再查", "start ratingd and look again")
	case !synced:
		return trouble(noted, momentText(now)+"，未同步"+offset, momentText(now)+", not synchronised", "评价不受影响，其时间以后修正",
			"evaluations are safe and their times are corrected later",
			"为 chrony 或 systemd-timesyncd 配置大厅网络内可用的时间服务器", "give chrony or systemd-timesyncd a time server in the hall's network")
	}
	return fine(momentText(now)+"，已同步"+offset, "synchronised")
}

// probeLimit bounds each step on the way to the centre.
const probeLimit = 5 * time.Second

// checkBroker goes the way to the centre by each address that the box knows. One that leads there is enough for the box.
func checkBroker(ctx context.Context, p *patient) finding {
	if p.status != nil && p.status.Centre.TooLarge != nil {
		return partFinding(p.status.Part("link"))
	}
	all := p.config.Uplink.Broker
	var good, bad []finding
	for _, address := range all {
		if f := checkAddress(ctx, p, address); f.mark == sick {
			bad = append(bad, f)
		} else {
			good = append(good, f)
		}
	}
	switch {
	case len(good) == 0:
		return bad[0]
	case len(bad) == 0:
		return good[0]
	}
	f := bad[0]
	return trouble(noted, fmt.Sprintf("%d 个地址中有 %d 个不通：%s", len(all), len(bad), f.found.ZH),
		fmt.Sprintf("%d of %d addresses fail: %s", len(bad), len(all), f.found.EN),
		"其余地址可用，评价正常上传", "the others lead to the centre, evaluations are sent", f.todo.ZH, f.todo.EN)
}

// checkAddress goes the way to the centre step by step, with a name of its own, so that the daemon stays connected.
func checkAddress(ctx context.Context, p *patient, address string) finding {
	up := p.config.Uplink
	login, err := p.config.Login()
	if p.config.Enrols() && errors.Is(err, fs.ErrNotExist) {
		return notAccepted()
	}
	if err != nil {
		return brokerUntried(err)
	}
	var suffix [3]byte
	_, _ = rand.Read(suffix[:]) // it never fails
	sample, err := sampleOf(p)
	if err != nil {
		return brokerUntried(err)
	}
	got, err := uplink.Probe(ctx, uplink.ProbeConfig{
		Sample: sample, AckMode: uplink.AckMode(up.Ack),
		Broker: address, Username: login.Username, Password: login.Password, TLS: login.TLS, Device: p.config.Device,
		Centre: []byte(up.CentreKey),
		Suffix: hex.EncodeToString(suffix[:]), Now: time.Now,
		Synced: func() bool { yes, err := kernelclock.Synchronised(); return err == nil && yes }, Limit: probeLimit,
	})
	if err != nil {
		return brokerFailed(p, login.Username, got, err)
	}
	proofZH, proofEN := "，记录送到中心并得到确认", ", and has acknowledged a record"
	switch {
	case sample == nil:
		proofZH, proofEN = "；还没有记录，上传没有试过", "; there is no record yet to try with"
	case up.Ack == "broker":
		proofZH, proofEN = "，记录有程序接收", ", and hands records on"
	}
	zh, en := fmt.Sprintf("%s 在 %s 内应答，登录成功，配置由中心签名", got.Address, got.Took.Round(100*time.Microsecond)),
		fmt.Sprintf("%s answers within %s, takes the password, and has what the centre signed for this box", got.Address,
			got.Took.Round(100*time.Microsecond))
	zh, en = zh+proofZH, en+proofEN
	if c := got.Certificate; c != nil {
		days := daysLeft(c.NotAfter, time.Now())
		zh += fmt.Sprintf("，其证书还有 %d 天", days)
		if days < 14 {
			return trouble(noted, zh, en+fmt.Sprintf("; its certificate has %d days left", days), "到期后所有评价器都连不上中心，评价保存在本机",
				"then no box reaches the centre; evaluations are kept",
				"请中心管理员更换 broker 的证书", "tell the centre's administrator to renew the broker's certificate")
		}
	}
	return fine(zh, en)
}

// brokerUntried is the finding where a file that is needed cannot be read.
func brokerUntried(err error) finding {
	if errors.Is(err, fs.ErrPermission) {
		return forbidden(err)
	}
	return trouble(sick, "没有测试："+err.Error(), "not tried: "+err.Error(), "ratingd 不会启动", "ratingd does not start", "放好该文件，或修改配置",
		"put the file there, or change the configuration")
}

// notAccepted is the finding where the box still waits for its first certificate.
func notAccepted() finding {
	return trouble(sick, "还没有证书，等待管理员接受", "the box has no certificate yet and waits to be accepted",
		"连不上中心，记录保存在本机", "the centre is not reached; records are kept",
		"管理员在中心页面“登记新评价器”中输入屏幕上的配对码，并核对数字", "type the code on the centre's page for new boxes, and compare the digits")
}

// brokerFailed says what a failure on the way to the centre means, by the fault that the daemon would find.
func brokerFailed(p *patient, username string, got uplink.Probed, err error) finding {
	fault := uplink.FaultOf(err)
	switch {
	case got.At == uplink.StageConfig && !known(p.config.Uplink.CentreKey):
		return trouble(sick, "缺少 uplink.centre_key", "uplink.centre_key is missing", "中心的确认无效，记录一直待上传", "no acknowledgement counts",
			"在中心运行 centrald key，写入配置", "write what centrald key prints at the centre into the configuration")
	case fault == uplink.FaultUnreached:
		err = fmt.Errorf("%s: %w", got.Address, err)
	case fault == uplink.FaultLogin:
		err = fmt.Errorf("%q: %w", username, err)
	case fault == uplink.FaultWrite:
		err = fmt.Errorf("%s: %w", wire.Topic(p.config.Device, wire.RecordsChannel), err)
	case fault == uplink.FaultSilent:
		err = fmt.Errorf("%s: %w", wire.Topic(p.config.Device, wire.AckChannel), err)
	}
	return of(condition.Code(fault), err)
}

// daysLeft returns whole days, negative once ends is past.
func daysLeft(ends, now time.Time) int { return int(math.Floor(ends.Sub(now).Hours() / 24)) }

// checkCertificate looks at the box's own certificate.
func checkCertificate(_ context.Context, p *patient) finding {
	up := p.config.Uplink
	if p.config.Enrols() {
		return checkEnrolled(p)
	}
	if up.CertFile == "" {
		return fine("未配置，用密码登录", "none is configured; the password is used")
	}
	pair, err := tls.LoadX509KeyPair(up.CertFile, up.KeyFile)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return forbidden(err)
	case err != nil:
		return trouble(sick, "证书或私钥不可用："+err.Error(), "the certificate or its key cannot be used: "+err.Error(), "ratingd 不会启动",
			"ratingd does not start",
			"uplink.cert_file 和 uplink.key_file 须为同一次签发的 PEM 文件", "uplink.cert_file and uplink.key_file must be PEM files that belong together")
	}
	days := daysLeft(pair.Leaf.NotAfter, time.Now())
	ends := pair.Leaf.NotAfter.In(beijing()).Format(time.DateOnly)
	zh, en := fmt.Sprintf("与私钥相符，还有 %d 天（到 %s）", days, ends), fmt.Sprintf("it fits its key and has %d days left", days)
	const lostZH, lostEN = "到期后连不上中心，评价保存在本机", "then the centre is not reached; evaluations are kept"
	switch {
	case days < 0:
		return trouble(sick, "已于 "+ends+" 过期", "it ended on "+ends, "连不上中心，评价保存在本机", "the centre is not reached; evaluations are kept",
			"更换证书后重启 ratingd", "replace it and restart ratingd")
	case days < condition.LateCertificate:
		return trouble(noted, zh, en, lostZH, lostEN, "请在到期前更换证书并重启 ratingd", "replace it before that, and restart ratingd")
	}
	return fine(zh, en)
}

// checkEnrolled looks at the certificate that the centre has issued, which the box renews by itself.
func checkEnrolled(p *patient) finding {
	login, err := p.config.Login()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return notAccepted()
	case errors.Is(err, fs.ErrPermission):
		return forbidden(err)
	case err != nil:
		return trouble(sick, "证书不可用："+err.Error(), "the certificate cannot be used: "+err.Error(),
			"连不上中心，记录保存在本机", "the centre is not reached; records are kept",
			"重启 ratingd，并在中心页面重新接受", "restart ratingd, and accept the box again on the centre's page")
	}
	days := daysLeft(login.Certificate.NotAfter, time.Now())
	zh, en := fmt.Sprintf("由中心签发，还有 %d 天（到 %s）", days, login.Certificate.NotAfter.In(beijing()).Format(time.DateOnly)),
		fmt.Sprintf("the centre issued it; it has %d days left", days)
	if days < condition.LateCertificate {
		return trouble(noted, zh, en, "本机会自动换新，但至今没有成功", "the box renews it by itself, and has not managed to",
			"检查到 enrol.url 的网络和中心的运行", "look at the network to enrol.url, and whether the centre runs")
	}
	return fine(zh, en)
}
