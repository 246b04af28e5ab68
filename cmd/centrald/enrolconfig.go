package main

import (
	"encoding"
	"net"
	"net/netip"
	"path/filepath"
	"time"

	"haochaping/internal/central/enrol"
	"haochaping/internal/tomlfile"
)

// enrolConfig is the door of new boxes.
type enrolConfig struct {
	Listen address  `toml:"listen"` // empty: boxes are enrolled by hand
	Names  []string `toml:"names"`
	// Windows are domains and networks of which boxes may have names for their windows' PCs, besides private ones.
	Windows []string `toml:"windows"`
	// WindowDays is how many days a certificate for a window's PC holds.
	WindowDays int `toml:"window_days"`
	// Updates is the folder of the apt repository that boxes update from, empty for none.
	Updates string `toml:"updates"`
}

// checkEnrol reports what is wrong with who is let in.
func (c *config) checkEnrol(bad tomlfile.Report, value func(string, encoding.TextUnmarshaler, string)) {
	if c.Broker.URL == "" && c.Broker.PasswordsFile == "" && !c.Broker.Certificates && c.Broker.Listen.exposed() {
		bad("broker.listen", "别的机器可访问 %q，任何人都能登录；请写本机地址，或写 passwords_file，或用证书登录",
			"%q can be reached from other machines and would let everybody in; write a loopback address, name a "+
				"passwords_file, or let boxes in by certificates", c.Broker.Listen)
	}
	if c.Enrol.Listen != "" {
		value("enrol.listen", &c.Enrol.Listen, string(c.Enrol.Listen))
	}
	if c.Enrol.Updates != "" && (c.Enrol.Listen == "" || !filepath.IsAbs(c.Enrol.Updates)) {
		bad("enrol.updates", "%q 由 enrol.listen 提供；请两者都写，文件夹写完整路径",
			"%q is served at enrol.listen; write both, and the folder with its whole path", c.Enrol.Updates)
	}
	if (c.Enrol.Listen != "" || c.Broker.Certificates) && len(c.Enrol.Names) == 0 {
		bad("enrol.names", "没有写；请写评价器连接中心所用的名称或地址", "missing; write the names or addresses by which boxes reach the centre")
	}
	for _, n := range c.Enrol.Names {
		if name := hostName(n); net.ParseIP(n) == nil && (name.UnmarshalText([]byte(n)) != nil || string(name) != n) {
			bad("enrol.names", "不能是 %q；请写小写的主机名或地址，不带端口",
				"%q is not allowed; write a host's name in small letters or an address, without port", n)
		}
	}
	for _, n := range c.Enrol.Windows {
		_, err := netip.ParsePrefix(n)
		if name := hostName(n); err != nil && (name.UnmarshalText([]byte(n)) != nil || string(name) != n) {
			bad("enrol.windows", "不能是 %q；请写小写的域名如 \"hall.example.com\"，或网络如 \"59.192.0.0/10\"",
				"%q is not allowed; write a domain in small letters, as \"hall.example.com\", or a network, as \"59.192.0.0/10\"", n)
		}
	}
	if most := int(enrol.MostWindowLife / (24 * time.Hour)); c.Enrol.WindowDays < 1 || c.Enrol.WindowDays > most {
		bad("enrol.window_days", "不能是 %d；请写 1 至 %d，窗口电脑最久在这么多天内仍认被盗的评价器",
			"%d is not allowed; write 1 to %d: so long may a window's PC take a stolen box for its own", c.Enrol.WindowDays, most)
	}
	if c.Broker.Certificates && (c.Broker.URL != "" || c.Broker.CertFile != "") {
		bad("broker.certificates", "它用于内置代理，并代替 broker.cert_file；请删去 broker.url 和 broker.cert_file",
			"it is for the built-in broker, and takes the place of broker.cert_file; leave out broker.url and broker.cert_file")
	}
}
