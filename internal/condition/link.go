package condition

// link returns the troubles of the way to the centre, in its order. sync/uplink has the same codes as its faults.
func link() []Kind {
	sent := Text{"评价保存在本机，连接后自动上传", "evaluations are kept here and sent later"}
	wait := Text{"评价保存在本机，一直待上传", "evaluations are kept here and wait"}
	rules := Text{"请中心管理员检查代理的访问规则（deploy/broker）", "tell the centre's administrator to look at the broker's access rules (deploy/broker)"}
	word := Text{`uplink.ack = "broker" 时，不能证明就不算已上传，评价一直待上传`, `with uplink.ack = "broker" what is not proven does not count as sent, and ` +
		`waits here`}
	return []Kind{
		{"link.files", Ill, Text{"连不上中心：密码或证书的文件无法使用", "the centre is not reached, since a file with password or certificate cannot be used"},
			sent,
			Text{"检查 uplink.password_file、ca_file、cert_file 和 key_file，ratingd 用户要能读",
				"look at uplink.password_file, ca_file, cert_file and key_file; the user ratingd must be able to read them"}},
		{"link.certificate_waits", Note, Text{"等中心签发证书后连接", "the centre is reached once it has issued the box's certificate"}, sent,
			Text{"先由管理员在中心页面接受本机", "an administrator accepts the box on the centre's page first"}},
		{"link.name", Note, Text{"找不到中心的地址", "the centre's name is not known"}, sent,
			Text{"检查网络和 DNS；核对 uplink.broker 的拼写", "the hall's DNS does not know it: look at the network, then at the spelling of uplink.broker"}},
		{"link.unreached", Note, Text{"连不上中心", "the centre is not reached"}, sent,
			Text{"检查网线和交换机；再向中心核对 uplink.broker 的地址是否正确、防火墙是否放行",
				"look at the network cable, then ask the centre whether the address of uplink.broker is right and the firewall lets it pass"}},
		{"link.certificate", Ill, Text{"中心的证书未通过验证", "the broker's certificate is not taken"}, sent,
			Text{"核对 uplink.ca_file 和 uplink.broker 的主机名；证书过期则由中心更换；端口不是 TLS 时写 mqtt://",
				"look at uplink.ca_file and at the name in uplink.broker; one that has ended is for the centre to renew; a port without TLS is " +
					"mqtt://"}},
		{"link.protocol", Note, Text{"端口已打开，但没有 MQTT 代理应答", "the port is open and no MQTT broker answers"}, sent,
			Text{"核对 uplink.broker 的端口：TLS 一般是 mqtts 8883；端口不是 TLS 时写 mqtt://，一般是 1883",
				"look at the port in uplink.broker: mqtts is usually 8883; a port without TLS is mqtt://, usually 1883"}},
		{"link.login", Ill, Text{"中心拒绝本机的用户或密码", "the broker refuses the box's user or password"}, sent,
			Text{"与中心核对密码，写入 uplink.password_file 指定的文件后重启 ratingd",
				"ask the centre for the password, write it into uplink.password_file, and restart ratingd"}},
		{"link.read", Ill, Text{"代理不允许读取本机的主题", "the broker does not let the box read its topics"}, sent, rules},
		{"link.not_enrolled", Ill, Text{"中心没有本机的配置", "the centre has nothing for this box"}, wait,
			Text{"在中心登记本机（ratingctl identity 显示所需内容）；已登记则检查 centrald 是否运行",
				"enrol the box at the centre (ratingctl identity prints what is needed); if it is, look whether centrald runs"}},
		{"link.other_centre", Ill, Text{"uplink.centre_key 不是这个中心的公钥", "uplink.centre_key is not this centre's"}, wait,
			Text{"在中心运行 centrald key，改正配置后重启 ratingd；在此之前中心的确认无效，记录一直待上传",
				"write what centrald key prints at the centre into the configuration and restart ratingd; until then no acknowledgement counts"}},
		{"link.write", Ill, Text{"代理收下记录又丢弃：不允许本机写入", "the broker takes records and drops them: the box may not write"}, wait, rules},
		{"link.tell", Note, Text{"代理不允许本机发布状态", "the broker does not let the box say how it is"},
			Text{"评价照常上传；中心看不到本机的状态或命令的结果", "evaluations are sent; the centre does not see how the box is, or what became of commands"}, rules},
		{"link.nobody", Ill, Text{"代理那里没有中心在接收记录", "nobody reads the records at the broker"}, wait,
			Text{"请中心管理员检查 centrald 是否运行，再运行 centrald -check-config",
				"tell the centre's administrator to look whether centrald runs, and to run centrald -check-config"}},
		{"link.away", Ill, Text{"中心已离开代理，没有程序接收记录", "the centre has left the broker; nobody takes records"}, wait,
			Text{"请中心管理员检查 centrald 是否运行", "tell the centre's administrator to look whether centrald runs"}},
		{"link.silent", Ill, Text{"记录已送出，但没有收到中心的确认", "records were sent and no acknowledgement came"}, wait,
			Text{"请中心管理员检查 centrald 的状态，以及代理是否允许本机读取其 ack 主题",
				"tell the centre's administrator to look at centrald, and whether the broker lets the box read its ack topic"}},
		{"link.algorithm", Ill, Text{"中心不接受本机密钥算法（SM2）签名的记录", "the centre does not take records signed in this box's algorithm (SM2)"},
			wait,
			Text{"请中心管理员升级 centrald；升级之后自动上传（docs/crypto.md）",
				"tell the centre's administrator to upgrade centrald; the records are sent by themselves then (docs/crypto.md)"}},
		{"link.too_large", Ill, Text{"有记录超过代理的消息上限", "records are larger than the broker takes"},
			Text{"这些记录留在本机，其余照常上传", "they stay here, the others are sent"},
			Text{"请中心管理员放宽代理的上限（mosquitto：message_size_limit、max_packet_size；NATS：max_payload），之后自动上传",
				"tell the centre's administrator to raise the broker's limit (mosquitto: message_size_limit, max_packet_size; NATS: max_payload); " +
					"they are sent by themselves then"}},
		{"link.unproven", Ill, Text{"代理不能证明有程序接收记录", "it cannot be proven that anybody gets the records"}, word,
			Text{`改用 uplink.ack = "centre"，或支持 MQTT 5 的代理`, `use uplink.ack = "centre", or a broker that speaks MQTT 5`}},
		{"link.no_receiver", Ill, Text{"没有接收程序在代理上声明在线（hcp/1/receiver）", "no receiver says at the broker that it takes records (hcp/1/receiver)"},
			word,
			Text{`请接收方在 hcp/1/receiver 保留一条在线消息并允许本机读取，或改用 uplink.ack = "centre"`,
				`let the receiver retain that it is online at hcp/1/receiver, which the box may read, or use uplink.ack = "centre"`}},
		{"link.crashed", Ill, Text{"上传程序出错，正在自动重试", "a fault of the program keeps records from the centre; it is tried again"}, sent,
			Text{"运行 ratingctl bundle 并把文件发给维护方；重启 ratingd 可能有用",
				"run ratingctl bundle and send its file to whoever maintains the program; restarting ratingd may help"}},
	}
}
