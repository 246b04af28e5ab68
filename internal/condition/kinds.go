package condition

// window returns the troubles of what serves the citizen at the window.
func window() []Kind {
	keysOut := Text{"按键停用，不会丢失已感谢的评价；扫二维码仍可评价", "the keys are out of service, nothing that was thanked for is lost; the QR code works"}
	soonOut := Text{"存不进去时按键即停用，不会丢失已感谢的评价；扫二维码仍可评价",
		"the keys go out of service with the first answer that cannot be saved, nothing that was thanked for is lost; the QR code works"}
	lost := Text{"市民按键无效；扫二维码仍可评价", "presses count for nothing; the QR code works"}
	hangs := Text{"服务管理器会在半分钟内将其重启；否则 systemctl restart ratingd", "the service manager restarts it within half a minute; else systemctl " +
		"restart ratingd"}
	card := Text{"清理磁盘；只读或写入失败时重启，再次发生则更换存储卡（dmesg 显示原因）",
		"make room; if it is read-only or fails, restart the box, and replace the card when it happens again (dmesg says why)"}
	return []Kind{
		{"window.unenrolled", Ill, Text{"本机尚未在中心登记", "the box is not enrolled at the centre"},
			Text{"窗口不能评价，屏幕显示设备名和指纹", "nobody can rate; the screen shows name and fingerprint"},
			Text{"请在中心登记本机：ratingctl identity 显示登记所需内容", "enrol it at the centre: ratingctl identity prints what is needed"}},
		{"window.waits", Ill, Text{"本机等待在中心登记，配对码和核对码", "the box waits to be accepted at the centre, its code and check digits"},
			Text{"窗口不能评价，屏幕显示配对码和核对码", "nobody can rate; the screen shows both"},
			Text{"管理员在中心页面“登记新评价器”中输入屏幕上的配对码，并核对数字", "type the code on the centre's page for new boxes, and compare the digits"}},
		{"store.broken", Ill, Text{"评价存储无法使用", "the store cannot be used"}, keysOut, card},
		{"store.write", Ill, Text{"上次写入失败，按键停用；二维码仍可评价", "the last write failed, the keys are out of service; the QR code works"}, keysOut, card},
		{"store.folder", Ill, Text{"看不到存储目录", "the state folder cannot be seen"}, soonOut, card},
		{"store.read_only", Ill, Text{"存储卡已变为只读", "the disk is read-only"}, soonOut, card},
		{"store.full", Ill, Text{"存储空间已满", "the disk is full"}, soonOut, card},
		{"terminal.stopped", Ill, Text{"评价程序已停止", "the terminal has stopped"}, Text{"窗口现在不能评价", "nobody can rate at this window now"}, hangs},
		{"keys.lost", Ill, Text{"读不到键盘，按键无效；二维码仍可评价", "the keypad cannot be read; the QR code works"}, lost,
			Text{"检查键盘的接线和 USB 插头；核对配置的 [keys]；ratingctl keys -list 列出可用设备；串口和 GPIO 需要 root 或 ratingd 用户",
				"look at the keypad's cable and plug, and at [keys] in the configuration; ratingctl keys -list lists what there is; root or the " +
					"daemon's user may open it"}},
		{"keys.stuck", Ill, Text{"有按键卡住，不计入评价；其余按键有效", "a key is stuck and counts for nothing; the others work"},
			Text{"按下该键的市民没有被记录", "who presses it is not heard"}, Text{"松开或清洁该键；仍卡住则更换键盘", "free or clean the key; replace the keypad if it stays " +
				"stuck"}},
		{"screen.lost", Ill, Text{"屏幕无法显示；按键仍可评价", "the screen is not shown; the keys work"},
			Text{"市民看不到提示和二维码；按键仍可评价", "citizens see neither question nor QR code; the keys work"},
			Text{"检查屏幕的电源和视频线；核对配置的 [screen]；没有屏幕的评价器写 screen.panel = \"none\"",
				"look at the screen's power and cable, and at [screen] in the configuration; a box without one says screen.panel = \"none\""}},
		{"screen.mode", Note, Text{"屏幕没有 screen.mode 指定的模式", "the screen has no such mode as screen.mode names"},
			Text{"屏幕以自身的模式显示，评价不受影响", "it is shown in another one; the window works"},
			Text{"把 screen.mode 改为所列模式之一，或留空", "set screen.mode to one of those that are listed, or leave it empty"}},
	}
}

// machine returns the troubles of the machine below.
func machine() []Kind {
	return []Kind{
		{"disk.low", Ill, Text{"磁盘剩余空间不足", "the disk has little room left"}, Text{"写满后按键停用", "without room the keys go out of service"},
			Text{"清理不属于评价器的文件，写满后按键停用", "remove what does not belong there"}},
		{"clock.unsynced", Note, Text{"时钟未同步", "the clock is not synchronised"},
			Text{"评价不受影响，时间以后修正", "evaluations are safe and their times are corrected later"},
			Text{"评价不受影响，时间以后修正；请为本机配置可用的时间服务器", "give chrony or systemd-timesyncd a time server in the hall's network"}},
		{"clock.off", Note, Text{"与中心时间不一致", "the clock differs from the centre's"},
			Text{"评价不受影响，时间以后修正", "evaluations are safe and their times are corrected later"},
			Text{"与中心时间不一致：检查本机和中心的时间服务器", "look at the time servers of the box and of the centre"}},
		{"certificate.ended", Ill, Text{"本机证书已过期", "the box's certificate has ended"},
			Text{"连不上中心，评价保存在本机", "the centre is not reached; evaluations are kept"},
			Text{"立即更换证书，否则连不上中心", "replace it and restart ratingd"}},
		{"certificate.ending", Note, Text{"本机证书即将到期", "the box's certificate ends soon"},
			Text{"到期后连不上中心，评价保存在本机", "then the centre is not reached; evaluations are kept"},
			Text{"请在到期前更换证书", "replace it before that, and restart ratingd"}},
		{"temperature.hot", Note, Text{"处理器温度过高", "the processor is hot"}, Text{"处理器会降速", "it slows down"},
			Text{"温度过高，处理器会降速：检查散热", "look at its cooling"}},
	}
}

// extras returns the troubles of what a window can do without.
func extras() []Kind {
	safe := Text{"按键评价不受影响", "the keys do not need it"}
	port := Text{"停止占用端口的程序，或在 [window_api] 中改用其他端口（电脑上的地址也要改）；局域网地址还需要 uplink.cert_file 的证书",
		"stop the program that has the port, or take another one in [window_api] and on the PC; lan_listen also needs the certificate of " +
			"uplink.cert_file"}
	asked := Text{"停止占用该地址的程序，或修改 [operations]", "stop the program that has the address, or change [operations]"}
	return []Kind{
		{"fonts.file", Ill, Text{"附加字体无法使用，个别生僻字可能显示不出", "a font cannot be used; rare characters may be missing on the screen"}, safe,
			Text{"重新安装字体包（fonts-noto-cjk），或修改 screen.fonts", "install the font's package again (fonts-noto-cjk), or change screen.fonts"}},
		{"photos.file", Ill, Text{"工作人员照片无法显示", "a photo of the staff cannot be shown"}, safe,
			Text{"在中心重新上传这张照片（JPEG）", "upload the photo at the centre again, as a JPEG"}},
		{"reasons.catalogue", Ill, Text{"按键后不询问原因", "no reasons are asked for"}, safe,
			Text{"检查 reasons.catalogue 的文件（ratingd -check-config），或留空使用内置目录",
				"look at the file of reasons.catalogue (ratingd -check-config), or leave it empty for the built-in one"}},
		{"rules.refused", Ill, Text{"上级规定的设置（原因目录、文字、时间）没有采用", "what the levels above have set for this box is not taken"},
			Text{"继续按先前的设置评价", "it goes on as before"},
			Text{"请先更新本机的程序；已是最新时请告知中心：政策与程序的版本不符", "update this box's programs; if they are the " +
				"latest, tell the centre that policy and programs differ"}},
		{"sound.failed", Ill, Text{"没有声音", "there is no sound"}, safe,
			Text{"检查声卡、sound.device 和软件包 alsa-utils；aplay -l 列出声卡", "look at the sound card, sound.device and the package alsa-utils; aplay -l " +
				"lists the cards"}},
		{"prompts.file", Ill, Text{"语音提示无法播放", "a spoken prompt cannot be played"}, safe,
			Text{"检查 sound.asking 和 sound.thanks 的文件（WAV，PCM 16 位，最长 20 秒，ratingd 用户可读）",
				"look at the files of sound.asking and sound.thanks: WAV, PCM of 16 bits, at most 20 s, readable by the user ratingd"}},
		{"lamps.failed", Ill, Text{"按键灯和蜂鸣器不工作", "lamps and buzzer do not work"}, safe,
			Text{"检查接线和 [lamps] 的配置；gpioinfo 列出线路", "look at the wiring and at [lamps] in the configuration; gpioinfo lists the lines"}},
		{"screen_files.folder", Ill, Text{"屏幕画面无法保存为文件", "the screen cannot be written as a file"}, safe,
			Text{"把 screen.files 设为 /var/lib/ratingd 或 /run/ratingd 下的目录，或留空", "set screen.files to a folder under /var/lib/ratingd or " +
				"/run/ratingd, or leave it empty"}},
		{"browser.address", Ill, Text{"浏览器看不到屏幕画面", "browsers do not see the screen"}, safe,
			Text{"停止占用端口的程序，或修改 screen.browser", "stop the program that has the port, or change screen.browser"}},
		{"window_api.address", Ill, Text{"窗口电脑连不上评价器", "the window's PC does not reach the box"}, safe, port},
		{"window_api_lan.address", Ill, Text{"窗口电脑连不上评价器", "the window's PC does not reach the box"}, safe, port},
		{"window_tokens.file", Ill, Text{"读不到窗口电脑的令牌，凭令牌的请求都被拒绝", "the tokens of the window's PCs cannot be read, so none is let in by one"},
			safe,
			Text{"运行 ratingctl token list 查看；文件损坏时删除 tokens.json 并重新发放令牌", "run ratingctl token list; remove a tokens.json that is damaged, and " +
				"give out tokens again"}},
		{"webhook.undelivered", Ill, Text{"评价状态没有送到业务系统（webhook）", "the business system is not told of visits (webhook)"}, safe,
			Text{"检查 window_api.webhook_url 的服务器和 window_api.webhook_secret_file",
				"look at the server of window_api.webhook_url and at window_api.webhook_secret_file"}},
		{"operations.address", Ill, Text{"本机无法查询评价器状态", "the box cannot be asked how it is at this address"}, safe, asked},
		{"operations_socket.address", Ill, Text{"本机无法查询评价器状态", "the box cannot be asked how it is at this address"}, safe, asked},
		{"enrolment.waits", Ill, Text{"本机没有有效的证书", "the box has no certificate that holds"},
			Text{"连不上中心，评价保存在本机", "the centre is not reached; evaluations are kept"},
			Text{"新评价器：管理员在中心页面“登记新评价器”中输入屏幕上的配对码；否则检查到 enrol.url 的网络", "a new box: type the code on its screen on the centre's page for new " +
				"boxes; else look at the network to enrol.url"}},
		{"window_certificate.waits", Ill, Text{"没有窗口电脑认得的证书，窗口电脑连不上评价器", "the box has no certificate for its window's PC, which " +
			"does not reach it"}, safe,
			Text{"检查到 enrol.url 的网络；名称或地址被拒绝时，在中心的 centrald.toml 中写 enrol.windows", "look at the network to enrol.url; where a name or " +
				"address is refused, write enrol.windows into centrald.toml at the centre"}},
		{"shared.file", Ill, Text{"所有评价器共用的文件无法使用，沿用原来的", "the file that all boxes share cannot be used; the box goes on with what it had"}, safe,
			Text{"在中心用 centrald image-config 重新写一份，放到启动分区的 haochaping.toml，重启 ratingd",
				"write it anew by centrald image-config at the centre, put it on the boot partition as haochaping.toml, and restart ratingd"}},
		{"cards.reader", Ill, Text{"读卡器无法使用，请在电脑上签到", "the card reader cannot be used; staff can sign in at the PC"}, safe,
			Text{"检查读卡器的接线和 [cards] 的配置", "look at the reader's cable and at [cards] in the configuration"}},
	}
}
