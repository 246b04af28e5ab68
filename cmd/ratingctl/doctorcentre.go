package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"strings"
	"time"

	"haochaping/internal/kernelclock"
	"haochaping/sync/uplink"
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
		return trouble(noted, "不知道时钟是否同步："+err.Error(), "it is not known whether the clock is right: "+err.Error(), "评价不受影响", "evaluations are safe",
			"启动 ratingd 后再查", "start ratingd and look again")
	case !synced:
		return trouble(noted, momentText(now)+"，未同步"+offset, momentText(now)+", not synchronised", "评价不受影响，其时间以后修正", "evaluations are safe and their times are corrected later",
			"为 chrony 或 systemd-timesyncd 配置大厅网络内可用的时间服务器", "give chrony or systemd-timesyncd a time server in the hall's network")
	}
	return fine(momentText(now)+"，已同步"+offset, "synchronised")
}

// probeLimit bounds each step on the way to the centre.
const probeLimit = 5 * time.Second

// checkBroker goes the way to the centre by each address that the box knows. One that leads there is enough for the box.
func checkBroker(ctx context.Context, p *patient) finding {
	if p.status != nil && p.status.Centre.TooLarge != nil {
		return tooLarge(*p.status.Centre.TooLarge)
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
	return trouble(noted, fmt.Sprintf("%d 个地址中有 %d 个不通：%s", len(all), len(bad), f.found.ZH), fmt.Sprintf("%d of %d addresses fail: %s", len(bad), len(all), f.found.EN),
		"其余地址可用，评价正常上传", "the others lead to the centre, evaluations are sent", f.todo.ZH, f.todo.EN)
}

// checkAddress goes the way to the centre step by step, with a name of its own, so that the daemon stays connected.
func checkAddress(ctx context.Context, p *patient, address string) finding {
	up := p.config.Uplink
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if up.CAFile != "" {
		pem, err := os.ReadFile(up.CAFile)
		if err != nil {
			return brokerUntried(fmt.Errorf("uplink.ca_file: %w", err))
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return brokerUntried(fmt.Errorf("uplink.ca_file: %s holds no certificate", up.CAFile))
		}
	}
	if up.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(up.CertFile, up.KeyFile)
		if err != nil {
			return brokerUntried(fmt.Errorf("uplink.cert_file: %w", err))
		}
		config.Certificates = []tls.Certificate{pair}
	}
	password := ""
	if up.PasswordFile != "" {
		b, err := os.ReadFile(up.PasswordFile)
		if err != nil {
			return brokerUntried(fmt.Errorf("uplink.password_file: %w", err))
		}
		password = strings.TrimRight(string(b), "\r\n")
	}
	username := up.Username
	if username == "" {
		username = string(p.config.Device)
	}
	var suffix [3]byte
	_, _ = rand.Read(suffix[:]) // it never fails
	sample, err := sampleOf(p)
	if err != nil {
		return brokerUntried(err)
	}
	got, err := uplink.Probe(ctx, uplink.ProbeConfig{
		Sample: sample, AckMode: uplink.AckMode(up.Ack),
		Broker: address, Username: username, Password: password, TLS: config, Device: p.config.Device, Centre: []byte(up.CentreKey),
		Suffix: hex.EncodeToString(suffix[:]), Now: time.Now, Synced: func() bool { yes, err := kernelclock.Synchronised(); return err == nil && yes }, Limit: probeLimit,
	})
	if err != nil {
		return brokerFailed(p, username, got, err)
	}
	proofZH, proofEN := "，记录送到中心并得到确认", ", and has acknowledged a record"
	switch {
	case sample == nil:
		proofZH, proofEN = "；还没有记录，上传没有试过", "; there is no record yet to try with"
	case up.Ack == "broker":
		proofZH, proofEN = "，记录有程序接收", ", and hands records on"
	}
	zh, en := fmt.Sprintf("%s 在 %s 内应答，登录成功，配置由中心签名", got.Address, got.Took.Round(100*time.Microsecond)),
		fmt.Sprintf("%s answers within %s, takes the password, and has what the centre signed for this box", got.Address, got.Took.Round(100*time.Microsecond))
	zh, en = zh+proofZH, en+proofEN
	if c := got.Certificate; c != nil {
		days := daysLeft(c.NotAfter, time.Now())
		zh += fmt.Sprintf("，其证书还有 %d 天", days)
		if days < 14 {
			return trouble(noted, zh, en+fmt.Sprintf("; its certificate has %d days left", days), "到期后所有评价器都连不上中心，评价保存在本机", "then no box reaches the centre; evaluations are kept",
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
	return trouble(sick, "没有测试："+err.Error(), "not tried: "+err.Error(), "ratingd 不会启动", "ratingd does not start", "放好该文件，或修改配置", "put the file there, or change the configuration")
}

// brokerFailed says what a failure on the way to the centre means, by how far it went.
func brokerFailed(p *patient, username string, got uplink.Probed, err error) finding {
	const keptZH, keptEN = "评价保存在本机，连接后自动上传", "evaluations are kept here and sent later"
	said := err.Error()
	bad := func(foundZH, foundEN, todoZH, todoEN string) finding {
		return trouble(sick, foundZH+"："+said, foundEN+": "+said, keptZH, keptEN, todoZH, todoEN)
	}
	switch got.At {
	case uplink.StageReach:
		if dns := new(net.DNSError); errors.As(err, &dns) {
			return bad("找不到中心的地址", "the centre's name is not known", "检查网络和 DNS；核对 uplink.broker 的拼写", "the hall's DNS does not know it: look at the network, then at the spelling of uplink.broker")
		}
		return bad("连不上中心", "the centre is not reached", "检查网线和交换机；再向中心核对 "+got.Address+" 是否正确、防火墙是否放行",
			"look at the network cable, then ask the centre whether "+got.Address+" is right and the firewall lets it pass")
	case uplink.StageTLS:
		return bad("中心的证书未通过验证", "the broker's certificate is not taken", "核对 uplink.ca_file 和 uplink.broker 的主机名；证书过期则由中心更换；端口不是 TLS 时写 mqtt://",
			"look at uplink.ca_file and at the name in uplink.broker; one that has ended is for the centre to renew; a port without TLS is mqtt://")
	case uplink.StageLogin:
		if uplink.IsRefused(err) {
			return bad(fmt.Sprintf("中心拒绝用户 %q 或其密码", username), fmt.Sprintf("the broker refuses %q or its password", username), "与中心核对密码，写入 uplink.password_file 指定的文件后重启 ratingd",
				"ask the centre for the password, write it into uplink.password_file, and restart ratingd")
		}
		return bad("端口已打开，但没有 MQTT 应答", "the port is open and no MQTT broker answers", "核对 uplink.broker 的端口：TLS 一般是 mqtts 8883，否则 mqtt 1883", "look at the port in uplink.broker: mqtts is usually 8883, mqtt 1883")
	case uplink.StageSubscribe:
		return bad("中心不允许读取本机的主题", "the broker does not let the box read its topics", "请中心管理员检查 broker 的访问规则（deploy/broker/mosquitto.acl）", "tell the centre's administrator to look at the broker's access rules (deploy/broker/mosquitto.acl)")
	case uplink.StageConfig:
		switch {
		case !known(p.config.Uplink.CentreKey):
			return bad("缺少 uplink.centre_key", "uplink.centre_key is missing", "在中心运行 centrald key，写入配置", "write what centrald key prints at the centre into the configuration")
		case errors.Is(err, uplink.ErrNoConfig):
			return bad("中心没有本机的配置", "the centre has nothing for this box", "在中心登记本机（ratingctl identity 显示所需内容）；已登记则检查 centrald 是否运行",
				"enrol the box at the centre (ratingctl identity prints what is needed); if it is, look whether centrald runs")
		case errors.Is(err, uplink.ErrOtherCentre):
			return bad("uplink.centre_key 不是这个中心的公钥", "uplink.centre_key is not this centre's", "在中心运行 centrald key，改正配置后重启 ratingd；在此之前中心的确认无效，记录一直待上传",
				"write what centrald key prints at the centre into the configuration and restart ratingd; until then no acknowledgement counts")
		}
	}
	if got.At == uplink.StageAnswer {
		return answerFailed(p, err)
	}
	return bad("中心的应答不对", "the centre's answer is not right", "请联系中心管理员", "tell the centre's administrator")
}

// daysLeft returns whole days, negative once ends is past.
func daysLeft(ends, now time.Time) int { return int(math.Floor(ends.Sub(now).Hours() / 24)) }

// checkCertificate looks at the box's own certificate.
func checkCertificate(_ context.Context, p *patient) finding {
	up := p.config.Uplink
	if up.CertFile == "" {
		return fine("未配置，用密码登录", "none is configured; the password is used")
	}
	pair, err := tls.LoadX509KeyPair(up.CertFile, up.KeyFile)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return forbidden(err)
	case err != nil:
		return trouble(sick, "证书或私钥不可用："+err.Error(), "the certificate or its key cannot be used: "+err.Error(), "ratingd 不会启动", "ratingd does not start",
			"uplink.cert_file 和 uplink.key_file 须为同一次签发的 PEM 文件", "uplink.cert_file and uplink.key_file must be PEM files that belong together")
	}
	days := daysLeft(pair.Leaf.NotAfter, time.Now())
	ends := pair.Leaf.NotAfter.In(beijing()).Format(time.DateOnly)
	zh, en := fmt.Sprintf("与私钥相符，还有 %d 天（到 %s）", days, ends), fmt.Sprintf("it fits its key and has %d days left", days)
	const lostZH, lostEN = "到期后连不上中心，评价保存在本机", "then the centre is not reached; evaluations are kept"
	switch {
	case days < 0:
		return trouble(sick, "已于 "+ends+" 过期", "it ended on "+ends, "连不上中心，评价保存在本机", "the centre is not reached; evaluations are kept", "更换证书后重启 ratingd", "replace it and restart ratingd")
	case days < lateCertificate:
		return trouble(noted, zh, en, lostZH, lostEN, "请在到期前更换证书并重启 ratingd", "replace it before that, and restart ratingd")
	}
	return fine(zh, en)
}
