package subscribe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"haochaping/internal/central/directory"
	"haochaping/internal/cli"
)

// Post is a mail server that takes the centre's mail.
type Post struct {
	host     string
	port     int
	implicit bool // TLS from the first byte
	local    bool // a server on this machine, which needs no TLS
	user     string
	password string
	from     *mail.Address
	domains  []string
	roots    *x509.CertPool
}

// PostConfig says how mail is handed over.
type PostConfig struct {
	// Server is smtps://host:465, or smtp://host:587, which must offer STARTTLS unless it is on this machine.
	Server         string
	User, Password string // empty: none
	From           string // an address, with a name if wanted
	// Domains are those whose addresses may be written to. At least one is needed.
	Domains []string
	Roots   *x509.CertPool // nil: the system's
}

// NewPost returns a mail server, or what is wrong with its configuration.
func NewPost(c PostConfig) (*Post, error) {
	u, err := url.Parse(c.Server)
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" {
		return nil, cli.Errorf("%q 不是邮件服务器；请写成 smtps://mail.example.com:465 或 smtp://mail.example.com:587",
			"%q is no server; write smtps://mail.example.com:465 or smtp://mail.example.com:587", c.Server)
	}
	p := &Post{host: u.Hostname(), implicit: u.Scheme == "smtps", user: c.User, password: c.Password, roots: c.Roots, port: 587}
	if p.implicit {
		p.port = 465
	}
	if u.Port() != "" {
		if p.port, err = strconv.Atoi(u.Port()); err != nil || p.port < 1 || p.port > 65535 {
			return nil, cli.Errorf("%q 不是端口；请写 1 至 65535", "%q is no port; write 1 to 65535", u.Port())
		}
	}
	ip := net.ParseIP(p.host)
	p.local = p.host == "localhost" || ip != nil && ip.IsLoopback()
	if p.from, err = mail.ParseAddress(c.From); err != nil {
		return nil, cli.Errorf("%q 不是发件人；请写成 好差评 <hcp@example.gov.cn>",
			"%q is no sender; write an address as 好差评 <hcp@example.gov.cn>", c.From)
	}
	for _, d := range c.Domains {
		if d = strings.ToLower(strings.TrimPrefix(d, "@")); d == "" || strings.ContainsAny(d, "@ ") {
			return nil, cli.Errorf("%q 不是域名；请写成 example.gov.cn", "%q is no domain; write it as example.gov.cn", d)
		}
		p.domains = append(p.domains, d)
	}
	if len(p.domains) == 0 {
		return nil, cli.Error("没有写域名；请写可以收信的域名", "no domain is named; write those to whose addresses mail may go")
	}
	return p, nil
}

// errAddress is told to whoever chooses one.
var errAddress = errors.New("邮箱地址无效，或不在允许的域名内 · the address is none, or lies outside of the domains that are allowed")

// Address returns an address as it is written to, or what is wrong with it.
func (p *Post) Address(text string) (string, error) {
	a, err := mail.ParseAddress(strings.TrimSpace(text))
	if err != nil {
		return "", errAddress
	}
	at := strings.LastIndexByte(a.Address, '@')
	if !slices.Contains(p.domains, strings.ToLower(a.Address[at+1:])) {
		return "", fmt.Errorf("%w: %s", errAddress, strings.Join(p.domains, ", "))
	}
	return a.Address, nil
}

// refusedError is a server's answer that stays the same.
type refusedError struct{ error }

// send hands a mail over that says that the figures of some days are there.
func (p *Post) send(ctx context.Context, s Subscription, days directory.Period, link string, now time.Time) error {
	if _, err := p.Address(s.Address); err != nil { // which the configuration may allow no more
		return refusedError{err}
	}
	m := gomail.NewMsg()
	from := p.from.Address
	if err := errors.Join(m.FromFormat(p.from.Name, from), m.To(s.Address)); err != nil {
		return refusedError{err}
	}
	period := fmt.Sprintf("%s 至 %s", days.From, days.To-1)
	m.Subject(fmt.Sprintf("政务服务好差评统计已出（%s）：%s", period, s.Words))
	m.SetMessageIDWithValue(id(s, days) + from[strings.LastIndexByte(from, '@'):])
	m.SetDateWithValue(now)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody answers that they are away
	m.SetBodyString(gomail.TypeTextPlain, fmt.Sprintf("您订阅的统计（%s）已出。\n\n内容：%s\n时期：%s\n查看：%s\n\n邮件里没有数字：登录后按您的权限显示。"+
		"不再需要时，请在“统计订阅”页取消。\n\nThe figures that you have subscribed to are there. Sign in to look at them; the page 统计订阅 ends the "+
		"subscription.\n",
		s.Every.Chinese(), s.Words, period, link))
	client, err := p.client()
	if err != nil {
		return err
	}
	err = client.DialAndSendWithContext(ctx, m)
	var refused *gomail.SendError
	if errors.As(err, &refused) && refused.Reason == gomail.ErrSMTPRcptTo && !refused.IsTemp() {
		return refusedError{fmt.Errorf("邮件服务器不接受 %s · the mail server refuses the address: %w", s.Address, err)}
	}
	if err != nil {
		return fmt.Errorf("hand a mail to %s: %w", net.JoinHostPort(p.host, strconv.Itoa(p.port)), err)
	}
	return nil
}

func (p *Post) client() (*gomail.Client, error) {
	options := []gomail.Option{gomail.WithPort(p.port), gomail.WithTimeout(30 * time.Second),
		gomail.WithTLSConfig(&tls.Config{ServerName: p.host, RootCAs: p.roots, MinVersion: tls.VersionTLS12})}
	switch {
	case p.implicit:
		options = append(options, gomail.WithSSL())
	case p.local:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if p.user != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(p.user), gomail.WithPassword(p.password))
	}
	c, err := gomail.NewClient(p.host, options...)
	if err != nil {
		return nil, fmt.Errorf("prepare the mail: %w", err)
	}
	return c, nil
}
