package main

import "haochaping/internal/condition"

// fleetUsage is what help says of the command.
func fleetUsage() condition.Text {
	return condition.Text{
		ZH: `ratingctl fleet 通过中心的接口查看评价器，分步更改其设置或程序。

  ratingctl fleet boxes [-hall 编号] [-state sick]        列出评价器及其状况
  ratingctl fleet box 设备名                              显示一台，其故障和收到过的命令
  ratingctl fleet ask 设备名 命令                         对一台下命令：self_test 自检、test_picture 测试画面、pause 暂停、resume 恢复、
                                                          restart 重启程序、send_bundle 上传支持包；需要 box.command
  ratingctl fleet bundle 设备名 [-out 文件]               取回它最近上传的支持包；需要 box.command
  ratingctl fleet alerts                                  列出未结束的告警
  ratingctl fleet acknowledge 告警                        登记由您处理；需要 box.command
  ratingctl fleet list                                    列出分步进行的更改
  ratingctl fleet show 编号                               显示一项，及每台评价器的情况
  ratingctl fleet begin -hall 编号|-area 代码 -first 窗口 [-hold 30m] [-sign-in on|off] [-wait 45s|own] [-walk-up 10s|off]
                                                          先改一个窗口，再改其大厅，再改全部
  ratingctl fleet begin -hall 编号|-area 代码 -first 窗口 [-hold 24h] -programs 版本
                                                          同样分步更新程序，在大厅关闭时进行
  ratingctl fleet halt|resume|undo|abandon 编号           停住；继续；退回原设置；放弃，保持现状

中心的地址就是其页面的地址：-centre https://centre.example.com 或变量 HCP_CENTRE。令牌在中心的页面“我的账号”上建立，
含操作 box.read 和 box.configure：写在 -token-file 的文件中，或变量 HCP_TOKEN 中。`,
		EN: `ratingctl fleet asks the centre about the boxes, and changes their settings or programs in stages, by the centre's API.

  ratingctl fleet boxes [-hall ID] [-state sick]          list boxes, and how they are
  ratingctl fleet box DEVICE                              print one, with its troubles and what it was asked
  ratingctl fleet ask DEVICE COMMAND                      have a box do something: self_test, test_picture, pause, resume, restart, or
                                                          send_bundle, what support needs; needs box.command
  ratingctl fleet bundle DEVICE [-out FILE]               fetch the latest that it has sent to support; needs box.command
  ratingctl fleet alerts                                  list open alerts
  ratingctl fleet acknowledge ALERT                       say that you look after one; needs box.command
  ratingctl fleet list                                    list changes that go out in stages
  ratingctl fleet show ID                                 print one, and how each box bears it
  ratingctl fleet begin -hall ID|-area CODE -first WINDOW [-hold 30m] [-sign-in on|off] [-wait 45s|own] [-walk-up 10s|off]
                                                          change one window, then its hall, then all
  ratingctl fleet begin -hall ID|-area CODE -first WINDOW [-hold 24h] -programs VERSION
                                                          update the boxes' programs so, while their halls are closed
  ratingctl fleet halt|resume|undo|abandon ID             steer it: stop; go on; send the former settings; leave all as it is

The centre's address is that of its pages, -centre https://centre.example.com or the variable HCP_CENTRE. The token is made on the page
我的账号 (my account) there, with the actions box.read and box.configure: in the file of -token-file, or in the variable HCP_TOKEN.`,
	}
}
