package boxconfig

import (
	"net"
	"net/url"
	"strings"

	"haochaping/internal/tomlfile"
)

// checkWindowAPI reports what would leave the window's PCs without a way to the box, or the box open to others.
func (c Config) checkWindowAPI(bad tomlfile.Report) {
	w := c.WindowAPI
	if w.LANListen != "" {
		// A name would need the network at the start, which the window must not.
		if host, port, err := net.SplitHostPort(w.LANListen); err != nil || port == "" || host != "" && net.ParseIP(host) == nil {
			bad("window_api.lan_listen", "不能是 %q；请写 IP 地址和端口，\"0.0.0.0:8377\" 表示本机全部地址",
				"%q is not allowed; write an IP address with a port, as \"0.0.0.0:8377\" for all that the box has", w.LANListen)
		}
		if c.Uplink.CertFile == "" && !c.Enrols() {
			bad("window_api.lan_listen", "没有可用的证书；请写 uplink.cert_file 和 uplink.key_file，或让评价器自行注册",
				"there is no certificate for it; write uplink.cert_file and uplink.key_file, or let the box enrol by itself")
		}
	}
	for _, h := range w.Hosts {
		if h == "" || strings.ContainsAny(h, ":/ *") {
			bad("window_api.hosts",
				"不能是 %[1]q；请写不带端口的名称，如 \"box-a12.hall.example\"",
				"%[1]q is not allowed; write names without a port, as \"box-a12.hall.example\"", h)
		}
	}
	for _, o := range w.Origins {
		if u, err := url.Parse(o); err != nil || u.Scheme != "https" && u.Scheme != "http" || !leadsSomewhere(u) || o != u.Scheme+"://"+u.Host {
			bad("window_api.origins",
				"不能是 %[1]q；请像浏览器那样写来源，如 \"https://business.hall.example\"",
				"%[1]q is not allowed; write an origin as browsers do, as \"https://business.hall.example\"", o)
		}
	}
	if w.WebhookURL != "" {
		if u, err := url.Parse(w.WebhookURL); err != nil || u.Scheme != "https" && u.Scheme != "http" || !leadsSomewhere(u) {
			bad("window_api.webhook_url", "不能是 %[1]q；请写 https://主机/路径", "%[1]q is not allowed; write https://host/path", w.WebhookURL)
		}
		if w.WebhookSecretFile == "" {
			bad("window_api.webhook_secret_file", "是空的；请写签名密钥所在的文件", "empty; write the file with the secret that signs what is posted")
		}
	}
}
