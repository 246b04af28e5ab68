package main

import (
	"cmp"
	_ "embed"
	"encoding"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"haochaping/internal/central/policy"
	"haochaping/internal/central/rectify"
	"haochaping/internal/cli"
	"haochaping/internal/rating"
	"haochaping/internal/tomlfile"
)

//go:embed default.toml
var defaultTOML string

// config is the configuration of the centre. default.toml describes each field. The types of its values say what is allowed.
type config struct {
	State         string              `toml:"state"`
	Books         booksURL            `toml:"books"`
	LogLevel      logLevel            `toml:"log_level"`
	Addresses     string              `toml:"addresses_file"`
	Broker        brokerConfig        `toml:"broker"`
	Enrol         enrolConfig         `toml:"enrol"`
	Rate          rateConfig          `toml:"rate"`
	Admin         adminConfig         `toml:"admin"`
	Seal          sealConfig          `toml:"seal"`
	Cases         casesConfig         `toml:"cases"`
	Ops           opsConfig           `toml:"ops"`
	Deadline      deadlineConfig      `toml:"deadline"`
	Orders        ordersConfig        `toml:"orders"`
	Alerts        alertsConfig        `toml:"alerts"`
	Subscriptions subscriptionsConfig `toml:"subscriptions"`
	Upward        upwardConfig        `toml:"upward"`
	Above         aboveConfig         `toml:"above"`
	Boxes         boxesConfig         `toml:"boxes"`
	Figures       figuresConfig       `toml:"figures"`

	sets   tomlfile.Lines  // the lines of what the file sets
	policy policy.Document // that holds, the zero one: none does
}

type brokerConfig struct {
	Listen         address   `toml:"listen"`
	CertFile       string    `toml:"cert_file"`
	KeyFile        string    `toml:"key_file"`
	PasswordsFile  string    `toml:"passwords_file"`
	Certificates   bool      `toml:"certificates"`
	URL            brokerURL `toml:"url"`
	Partitions     int       `toml:"partitions"`
	Username       string    `toml:"username"`
	PasswordFile   string    `toml:"password_file"`
	CAFile         string    `toml:"ca_file"`
	ClientCertFile string    `toml:"client_cert_file"`
	ClientKeyFile  string    `toml:"client_key_file"`
}

type rateConfig struct {
	Listen         address   `toml:"listen"`
	CertFile       string    `toml:"cert_file"`
	KeyFile        string    `toml:"key_file"`
	Reasons        reasonSet `toml:"reasons"`
	Catalogue      string    `toml:"catalogue"`
	FrameAncestors []origin  `toml:"frame_ancestors"`
	Base           string    `toml:"base"`
}

type adminConfig struct {
	Listen         address    `toml:"listen"`
	CertFile       string     `toml:"cert_file"`
	KeyFile        string     `toml:"key_file"`
	Hosts          []hostName `toml:"hosts"`
	Proxies        []network  `toml:"proxies"`
	FrameAncestors []origin   `toml:"frame_ancestors"`
	OIDC           oidcConfig `toml:"oidc"`
}

type sealConfig struct {
	Listen     address  `toml:"listen"`      // empty: on the centre's page only
	TokensFile string   `toml:"tokens_file"` // of those who copy the journal; empty: nobody does
	Copies     []copied `toml:"copies"`      // of other centres' journals, that processes on this machine keep
}

// copied is a copy of another centre's journal.
type copied struct {
	Name   string `toml:"name"`   // of the city, as people read it
	Folder string `toml:"folder"` // that "centrald replica" was given
}

type casesConfig struct {
	Listen     address `toml:"listen"` // empty: business systems have no door
	CertFile   string  `toml:"cert_file"`
	KeyFile    string  `toml:"key_file"`
	TokensFile string  `toml:"tokens_file"`
	// VoiceKeys says which level a key of a telephone means. Empty: no key does.
	VoiceKeys map[string]rating.Level `toml:"voice_keys"`
}

type opsConfig struct {
	Listen     address `toml:"listen"` // empty: nobody is told how the centre is
	CertFile   string  `toml:"cert_file"`
	KeyFile    string  `toml:"key_file"`
	TokensFile string  `toml:"tokens_file"`
}

type deadlineConfig struct {
	Defaults  bool   `toml:"defaults"`
	LateHolds bool   `toml:"late_answers_replace"`
	Calendars string `toml:"calendars"`
	// SilentDays is in working days, 0: no channel is ever silent.
	SilentDays int       `toml:"silent_days"`
	SMS        smsConfig `toml:"sms"`
}

type ordersConfig struct {
	ContactDays int    `toml:"contact_days"`
	OfficeDays  int    `toml:"office_days"`
	URL         string `toml:"webhook_url"` // empty: nowhere
	SecretFile  string `toml:"webhook_secret_file"`
	Ask         string `toml:"follow_up_text"`
	Extended    string `toml:"extension_text"`
	Missed      string `toml:"missed_text"`
	Refused     string `toml:"refused_text"`
}

// figuresConfig says from how many answers on figures say something.
type figuresConfig struct {
	Ranked int64 `toml:"least_ranked"`
}

type smsConfig struct {
	From    string            `toml:"from"`  // of the day, as 08:30
	Until   string            `toml:"until"` // of the day
	File    string            `toml:"file"`
	URL     string            `toml:"url"`
	Headers map[string]string `toml:"headers"`
	Body    string            `toml:"body"`
	Accept  string            `toml:"accept"`
	Text    string            `toml:"text"`
	Replies string            `toml:"replies_file"`
	// Where it is asked what became of a message, and what the answer means.
	Status  string `toml:"status_url"`
	Taken   string `toml:"status_taken"`
	Unknown string `toml:"status_unknown"`
}

// loadConfig reads a configuration file over the defaults. Without a path it returns the defaults.
func loadConfig(path string) (config, error) {
	var b []byte
	if path != "" {
		var err error
		if b, err = os.ReadFile(path); err != nil {
			return config{}, cli.Hint(cli.Because(err, "读不到配置", "the configuration cannot be read"), "centrald -print-config > "+path+" 写出带说明的模板",
				"centrald -print-config > "+path+" writes one to begin with")
		}
	}
	c, err := parseConfig(string(b))
	if err != nil {
		return config{}, cli.Because(err, "配置 "+path, "configuration "+path)
	}
	return c, nil
}

func parseConfig(text string) (config, error) {
	var c config
	if err := toml.Unmarshal([]byte(defaultTOML), &c); err != nil {
		return config{}, fmt.Errorf("the built-in defaults: %w", err) // a test reads them
	}
	lines, err := tomlfile.Decode([]byte(text), &c, "centrald -print-config")
	if err != nil {
		return config{}, err
	}
	c.sets = lines
	err = c.check(lines)
	return c, err
}

// check reports every value that is out of its range.
func (c *config) check(lines tomlfile.Lines) error {
	var errs []error
	bad := func(key, zh, en string, args ...any) { errs = append(errs, lines.Errorf(key, zh, en, args...)) }
	value := func(key string, v encoding.TextUnmarshaler, text string) {
		if err := v.UnmarshalText([]byte(text)); err != nil {
			bad(key, "%v", "%v", err)
		}
	}
	if c.State == "" {
		bad("state", "是空的；请写一个文件夹", "empty; write a folder")
	}
	value("books", &c.Books, string(c.Books))
	c.checkEnrol(bad, value)
	c.checkBroker(bad, value)
	c.checkPages(bad, value)
	c.checkDoors(bad, value)
	c.checkWork(bad)
	for _, pair := range c.pairs() {
		if (pair.cert == "") != (pair.key == "") {
			bad(pair.field, "证书和私钥要一起写；都写，或都不写", "a certificate and its key go together; write both or neither")
		}
	}
	return errors.Join(errs...)
}

// checkBroker looks at the way to the boxes.
func (c *config) checkBroker(bad tomlfile.Report, value func(string, encoding.TextUnmarshaler, string)) {
	b := &c.Broker
	value("broker.listen", &b.Listen, string(b.Listen))
	if b.URL != "" {
		value("broker.url", &b.URL, string(b.URL))
	}
	if b.Partitions < 0 || b.Partitions > 256 || b.Partitions > 0 && b.URL == "" {
		bad("broker.partitions", "不能是 %d；请写 0 至 256，写了 broker.url 才能大于 0",
			"%d is not allowed; write 0 to 256, and more than 0 only beside broker.url", b.Partitions)
	}
	if (b.Username == "") != (b.PasswordFile == "") {
		bad("broker.username",
			"用户名和 password_file 要一起写；都写，或都不写",
			"a user name and its password_file go together; write both or neither")
	}
}

// checkPages looks at what phones and people's browsers reach.
func (c *config) checkPages(bad tomlfile.Report, value func(string, encoding.TextUnmarshaler, string)) {
	value("rate.listen", &c.Rate.Listen, string(c.Rate.Listen))
	value("rate.reasons", &c.Rate.Reasons, string(c.Rate.Reasons))
	if c.Rate.Base != "" {
		if err := new(origin).UnmarshalText([]byte(c.Rate.Base)); err != nil {
			bad("rate.base", "%v", "%v", err)
		}
	}
	for i := range c.Rate.FrameAncestors {
		value("rate.frame_ancestors", &c.Rate.FrameAncestors[i], string(c.Rate.FrameAncestors[i]))
	}
	a := &c.Admin
	value("admin.listen", &a.Listen, string(a.Listen))
	if a.CertFile == "" && len(a.Proxies) == 0 && a.Listen.exposed() {
		bad("admin.listen", "别的机器可由 %q 以明文访问；请写本机地址，或写证书（admin.cert_file、admin.key_file），或写做 TLS 的代理所在的网络（admin.proxies）",
			"%q can be reached from other machines in plain text; write a loopback address, or a certificate (admin.cert_file, "+
				"admin.key_file), or the networks of the proxies that do TLS (admin.proxies)", a.Listen)
	}
	for i := range a.Proxies {
		value("admin.proxies", &a.Proxies[i], string(a.Proxies[i]))
	}
	for i := range a.FrameAncestors {
		value("admin.frame_ancestors", &a.FrameAncestors[i], string(a.FrameAncestors[i]))
	}
	for i := range a.Hosts {
		value("admin.hosts", &a.Hosts[i], string(a.Hosts[i]))
	}
	if err := a.OIDC.check(); err != nil {
		bad("admin.oidc.issuer", "%v", "%v", err)
	}
}

// checkDoors looks at what programs reach: witnesses, business systems, whoever watches the centre.
func (c *config) checkDoors(bad tomlfile.Report, value func(string, encoding.TextUnmarshaler, string)) {
	if c.Seal.Listen != "" {
		value("seal.listen", &c.Seal.Listen, string(c.Seal.Listen))
	}
	for _, k := range c.Seal.Copies {
		if k.Name == "" || !filepath.IsAbs(k.Folder) {
			bad("seal.copies", "有一份副本没有写全；每份都要写市州的名称和文件夹的完整路径",
				"a copy is not whole; write for each the name of its city and the whole path of its folder")
		}
	}
	for key, level := range c.Cases.VoiceKeys {
		if len(key) != 1 || !strings.Contains("0123456789*#", key) || !level.Valid() {
			bad("cases.voice_keys", "不能是 %q = %d；键可写 0 至 9、* 和 #，级别可写 1 至 5，5 是非常满意",
				"%q = %d is not allowed; a key is one of 0 to 9, * and #, and a level 1 to 5, of which 5 is 非常满意", key, level)
		}
	}
	if c.Cases.Listen != "" {
		value("cases.listen", &c.Cases.Listen, string(c.Cases.Listen))
		if c.Cases.CertFile == "" && c.Cases.Listen.exposed() {
			bad("cases.listen", "别的机器可由 %q 以明文访问，令牌和电话号码会被看到；请写本机地址，或写证书（cases.cert_file、cases.key_file）",
				"%q can be reached from other machines in plain text, and tokens and telephone numbers with it; "+
					"write a loopback address, or a certificate (cases.cert_file, cases.key_file)", c.Cases.Listen)
		}
		if c.Cases.TokensFile == "" {
			bad("cases.tokens_file", "没有写，任何人都能登记办件；请写令牌文件",
				"missing, so that anybody could say what has become of a case; write the file with the tokens")
		}
	}
	if c.Ops.Listen != "" {
		value("ops.listen", &c.Ops.Listen, string(c.Ops.Listen))
		if (c.Ops.CertFile == "" || c.Ops.TokensFile == "") && c.Ops.Listen.exposed() {
			bad("ops.listen", "别的机器可访问 %q；请写本机地址，或写证书和可查询者的令牌（ops.cert_file、ops.key_file、ops.tokens_file）",
				"%q can be reached from other machines; write a loopback address, or a certificate and who may ask "+
					"(ops.cert_file, ops.key_file, ops.tokens_file)", c.Ops.Listen)
		}
	}
}

// checkWork looks at deadlines, messages, alerts and orders.
func (c *config) checkWork(bad tomlfile.Report) {
	d := c.Deadline
	if d.SMS.URL != "" && d.SMS.File != "" {
		bad("deadline.sms.url", "同时写了 deadline.sms.file；请删去一个", "there is deadline.sms.file, too; leave one of them out")
	}
	if strings.Contains(d.SMS.Text, "{link}") && c.Rate.Base == "" {
		bad("deadline.sms.text", "{link} 没有地址可填；请写 rate.base，市民打开评价页的地址",
			"there is no address for {link}; write rate.base, at which citizens find the rating page")
	}
	if _, err := d.SMS.gateway(); err != nil {
		bad("deadline.sms.url", "%v", "%v", err)
	}
	if _, err := c.workingDays(); err != nil {
		bad("deadline.calendars", "%v", "%v", err)
	}
	if d.SilentDays < 0 || d.SilentDays > 200 {
		bad("deadline.silent_days", "不能是 %d；请写 1 至 200 个工作日，0 为从不", "%d is not allowed; write 1 to 200 working days, or 0 for never",
			d.SilentDays)
	}
	if err := checkHook(c.Alerts.URL, c.Alerts.SecretFile); err != nil {
		bad("alerts.webhook_url", "%v", "%v", err)
	}
	if err := checkHook(c.Orders.URL, c.Orders.SecretFile); err != nil {
		bad("orders.webhook_url", "%v", "%v", err)
	}
	c.Subscriptions.check(bad)
	c.Upward.check(bad)
	c.Above.check(bad)
	c.checkKinds(bad)
	for key, text := range map[string]struct {
		says string
		may  []string
	}{"orders.follow_up_text": {c.Orders.Ask, []string{"{letter}", "{link}"}},
		"orders.extension_text": {c.Orders.Extended, []string{"{day}", "{link}"}}, "orders.missed_text": {c.Orders.Missed, nil},
		"orders.refused_text": {c.Orders.Refused, []string{"{link}"}}} {
		rest := text.says
		for _, place := range text.may {
			rest = strings.ReplaceAll(rest, place, "")
		}
		switch {
		case strings.ContainsAny(rest, "{}"):
			bad(key, "有不能填入的内容；短信不写人也不写事，这里可填入的有：%s", "it has what is not filled in; a message names neither a person nor "+
				"a matter, and may have here: %s", cmp.Or(strings.Join(text.may, " "), "–"))
		case strings.Contains(text.says, "{link}") && c.Rate.Base == "":
			bad(key, "{link} 没有地址可填；请写 rate.base，市民打开评价页的地址",
				"there is no address for {link}; write rate.base, at which citizens find the rating page")
		}
	}
	for key, days := range map[string]int{"orders.contact_days": c.Orders.ContactDays, "orders.office_days": c.Orders.OfficeDays} {
		if days < 1 || days > rectify.Days {
			bad(key, "不能是 %d；请写 1 至 %d 个工作日", "%d is not allowed; write 1 to %d working days", days, rectify.Days)
		}
	}
}

// pair is a certificate and its key, as two fields name their files.
type pair struct{ field, cert, key string }

// pairs returns the certificates that the configuration names, and the first of each one's fields.
func (c *config) pairs() []pair {
	return []pair{
		{"broker.cert_file", c.Broker.CertFile, c.Broker.KeyFile},
		{"broker.client_cert_file", c.Broker.ClientCertFile, c.Broker.ClientKeyFile},
		{"rate.cert_file", c.Rate.CertFile, c.Rate.KeyFile},
		{"admin.cert_file", c.Admin.CertFile, c.Admin.KeyFile},
		{"cases.cert_file", c.Cases.CertFile, c.Cases.KeyFile},
		{"ops.cert_file", c.Ops.CertFile, c.Ops.KeyFile},
		{"upward.cert_file", c.Upward.CertFile, c.Upward.KeyFile},
	}
}
