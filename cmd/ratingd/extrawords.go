package main

import "haochaping/internal/opsapi"

// The words of the optional parts: what their trouble means at the window, and the way out.

func words(meansZH, meansEN, doZH, doEN string) extraWords {
	return extraWords{opsapi.Text{ZH: meansZH, EN: meansEN}, opsapi.Text{ZH: doZH, EN: doEN}}
}

func uplinkWords() extraWords {
	return words("连不上中心：密码或证书的文件无法使用；评价保存在本机",
		"the centre is not reached, since a file with password or certificate cannot be used; evaluations are kept here",
		"检查 uplink.password_file、ca_file、cert_file 和 key_file，ratingd 用户要能读",
		"look at uplink.password_file, ca_file, cert_file and key_file; the user ratingd must be able to read them")
}

func fontsWords() extraWords {
	return words("附加字体无法使用，个别生僻字可能显示不出", "a font cannot be used; rare characters may be missing on the screen",
		"重新安装字体包（fonts-noto-cjk），或修改 screen.fonts", "install the font's package again (fonts-noto-cjk), or change screen.fonts")
}

func photosWords() extraWords {
	return words("工作人员照片无法显示", "a photo of the staff cannot be shown",
		"在中心重新上传这张照片（JPEG）", "upload the photo at the centre again, as a JPEG")
}

func reasonsWords() extraWords {
	return words("按键后不询问原因", "no reasons are asked for",
		"检查 reasons.catalogue 的文件（ratingd -check-config），或留空使用内置目录",
		"look at the file of reasons.catalogue (ratingd -check-config), or leave it empty for the built-in one")
}

func soundWords() extraWords {
	return words("没有声音", "there is no sound",
		"检查声卡、sound.device 和软件包 alsa-utils；aplay -l 列出声卡",
		"look at the sound card, sound.device and the package alsa-utils; aplay -l lists the cards")
}

func promptsWords() extraWords {
	return words("语音提示无法播放", "a spoken prompt cannot be played",
		"检查 sound.asking 和 sound.thanks 的文件（WAV，PCM 16 位，最长 20 秒，ratingd 用户可读）",
		"look at the files of sound.asking and sound.thanks: WAV, PCM of 16 bits, at most 20 s, readable by the user ratingd")
}

func lampsWords() extraWords {
	return words("按键灯和蜂鸣器不工作", "lamps and buzzer do not work",
		"检查接线和 [lamps] 的配置；gpioinfo 列出线路",
		"look at the wiring and at [lamps] in the configuration; gpioinfo lists the lines")
}

func filesWords() extraWords {
	return words("屏幕画面无法保存为文件", "the screen cannot be written as a file",
		"把 screen.files 设为 /var/lib/ratingd 或 /run/ratingd 下的目录，或留空",
		"set screen.files to a folder under /var/lib/ratingd or /run/ratingd, or leave it empty")
}

func browserWords() extraWords {
	return words("浏览器看不到屏幕画面", "browsers do not see the screen",
		"停止占用端口的程序，或修改 screen.browser",
		"stop the program that has the port, or change screen.browser")
}

func windowAPIWords() extraWords {
	return words("窗口电脑连不上评价器", "the window's PC does not reach the box",
		"停止占用端口的程序，或在 [window_api] 中改用其他端口（电脑上的地址也要改）；局域网地址还需要 uplink.cert_file 的证书",
		"stop the program that has the port, or take another one in [window_api] and on the PC; lan_listen also needs the certificate of uplink.cert_file")
}

func tokensWords() extraWords {
	return words("读不到窗口电脑的令牌，凭令牌的请求都被拒绝", "the tokens of the window's PCs cannot be read, so none is let in by one",
		"运行 ratingctl token list 查看；文件损坏时删除 tokens.json 并重新发放令牌",
		"run ratingctl token list; remove a tokens.json that is damaged, and give out tokens again")
}

func webhookWords() extraWords {
	return words("评价状态没有送到业务系统（webhook）", "the business system is not told of visits (webhook)",
		"检查 window_api.webhook_url 的服务器和 window_api.webhook_secret_file",
		"look at the server of window_api.webhook_url and at window_api.webhook_secret_file")
}

func operationsWords() extraWords {
	return words("本机无法查询评价器状态", "the box cannot be asked how it is at this address",
		"停止占用该地址的程序，或修改 [operations]",
		"stop the program that has the address, or change [operations]")
}

func cardsWords() extraWords {
	return words("读卡器无法使用，请在电脑上签到", "the card reader cannot be used; staff can sign in at the PC",
		"检查读卡器的接线和 [cards] 的配置",
		"look at the reader's cable and at [cards] in the configuration")
}
