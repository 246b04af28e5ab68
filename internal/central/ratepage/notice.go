package ratepage

import "net/http"

// notice is a page that says something instead of asking: what happened, what it means and what to do.
type notice struct {
	Status  int
	Done    bool // good news
	TitleZh string
	TitleEn string
	What    string
	Means   string
	Do      string
	English string // the three in English
	// Next leads on, if it is not empty.
	Next, NextZh, NextEn string
	Away                 bool // Next leads to another site, also out of a frame
	Receipt              string
}

// hotline is where citizens turn to when the window cannot help them.
const hotline = "政务服务便民热线 12345"

var (
	stored = notice{
		Status: http.StatusOK, Done: true,
		TitleZh: "谢谢，评价已提交", TitleEn: "Thank you. Your rating is recorded.",
		What:    "您的评价已经保存并计入。",
		Means:   "窗口工作人员只会知道“已评价”，看不到您选择了什么。",
		Do:      "可以关闭此页。刷新此页不会重复提交。",
		English: "Your rating is stored and counts. The staff at the window learn that you rated, not how. You may close this page.",
	}
	storedAhead = notice{
		Status: http.StatusOK, Done: true,
		TitleZh: "谢谢，评价已保存", TitleEn: "Thank you. Your rating is stored.",
		What:  "您的评价已经保存。窗口的评价器现在没有联网。",
		Means: "如果您刚才已经在评价器上按过键，以先按的为准；没有按过，就计入这一份。窗口工作人员看不到您选择了什么。",
		Do:    "可以关闭此页，不必再次提交。",
		English: "Your rating is stored. The terminal at the window is offline: if you have pressed a key there before, that goes first; if " +
			"not, this one counts. You may close this page.",
	}
	storedUnheard = notice{
		Status: http.StatusOK, Done: true,
		TitleZh: "谢谢，评价已保存", TitleEn: "Thank you. Your rating is stored.",
		What:  "您的评价已经保存。窗口的评价器还没有回应。",
		Means: "如果您刚才已经在评价器上按过键，以先按的为准；没有按过，就计入这一份。窗口工作人员看不到您选择了什么。",
		Do:    "可以关闭此页，不必再次提交。",
		English: "Your rating is stored. The terminal at the window has not answered yet: if you have pressed a key there before, that goes " +
			"first; if not, this one counts. You may close this page.",
	}
	storedOnly = notice{
		Status: http.StatusOK, Done: true,
		TitleZh: "谢谢，评价已保存", TitleEn: "Thank you. Your rating is stored.",
		What:  "您的评价已经保存，不会丢失。",
		Means: "系统正忙，是否计入稍后按“先到先计”确定。",
		Do:    "可以关闭此页，不必再次提交。",
		English: "Your rating is stored and will not be lost. The system is busy; whether it came first is settled in a while. You may close " +
			"this page.",
	}
	keptBeside = notice{
		Status: http.StatusOK, Done: true,
		TitleZh: "谢谢，评价已收到", TitleEn: "Thank you. Your rating has arrived.",
		What:  "您的评价已经保存，但同一项服务此前已有一份评价先到。",
		Means: "每次服务每一项只计入最先收到的一份。您的这一份保存在旁，加注标记，不计入统计。",
		Do:    "可以关闭此页。如果先前那份不是您评价的，请向大厅咨询台或" + hotline + " 反映。",
		English: "Your rating is stored, but another one for the same service came first, and only the first counts. If that one was not " +
			"yours, please tell the information desk or call 12345.",
	}
	alreadyRated = notice{
		Status:  http.StatusConflict,
		TitleZh: "这次服务已经评价过了", TitleEn: "This service has already been rated.",
		What:  "这个二维码对应的服务已经收到评价，可能来自窗口的评价器，也可能来自手机。",
		Means: "每次服务每一项只计入最先收到的一份评价（一次一评、一事一评），所以不再重复评价。",
		Do:    "如果您刚刚提交过，不必再操作。如果不是您本人评价的，请向大厅咨询台或" + hotline + " 反映。",
		English: "A rating has already arrived, from the keypad or from a phone, and only the first one counts. If it was not yours, please " +
			"tell the information desk or call 12345.",
	}
	tooLate = notice{
		Status:  http.StatusGone,
		TitleZh: "评价时间已过", TitleEn: "The time for rating is over.",
		What:  "二维码显示后十分钟内可以评价，这个二维码已经超过时间。",
		Means: "这次没有收到您的评价。没有评价，不会算作对工作人员的满意评价；已办结的事项5个工作日内未评价的，按规定默认为基本满意，单独标注、单独统计。",
		Do:    "您仍可通过政务服务网或" + hotline + " 评价，也可以在下次办事时评价。",
		English: "The code can be used for ten minutes. No rating was recorded. Silence says nothing of the staff; a completed matter that " +
			"nobody rates within five working days is rated fairly satisfied by default, marked and counted apart. You can still rate through the " +
			"government service website or by calling 12345.",
	}
	damaged = notice{
		Status:  http.StatusBadRequest,
		TitleZh: "评价链接不完整", TitleEn: "This rating link is damaged.",
		What:    "链接里有一部分缺失或被改动了。",
		Means:   "还没有提交任何评价。",
		Do:      "请用手机重新扫描评价器屏幕上的二维码。请不要手工输入或转发链接。",
		English: "A part of the link is missing or was changed. Nothing was submitted. Please scan the code on the screen again.",
	}
	unknownDevice = notice{
		Status:  http.StatusNotFound,
		TitleZh: "没有找到这台评价器", TitleEn: "This terminal is not known here.",
		What:  "链接格式正确，但它所写的评价器没有在本中心登记。",
		Means: "还没有提交任何评价。这台评价器可能刚刚安装，也可能属于别的中心。",
		Do:    "请把此页给大厅工作人员看。请不要在来历不明的评价页面填写个人信息。",
		English: "The terminal named in the link is not enrolled at this centre. Nothing was submitted. Please show this page to the hall's " +
			"staff.",
	}
	forged = notice{
		Status:  http.StatusForbidden,
		TitleZh: "这个链接不是评价器发出的", TitleEn: "This link was not issued by the terminal.",
		What:  "链接上的电子签名与登记的评价器不符。",
		Means: "链接可能被人改动或伪造，因此不能用来评价。还没有提交任何评价。",
		Do:    "请扫描窗口评价器屏幕上正在显示的二维码。如果您扫的是张贴的纸质二维码，请告诉大厅工作人员。",
		English: "The signature in the link is not that of the terminal, so it cannot be used. Please scan the code on the terminal's own " +
			"screen. If you scanned a printed code, please tell the staff.",
	}
	noLink = notice{
		Status:  http.StatusNotFound,
		TitleZh: "请扫描二维码", TitleEn: "Please scan the code.",
		What:    "这里是窗口服务评价页，需要从评价器屏幕上的二维码进入。",
		Means:   "还没有提交任何评价。",
		Do:      "请用手机扫描窗口评价器屏幕上的二维码。",
		English: "This page is opened by scanning the code on the screen of the terminal at the window.",
	}
	notOurForm = notice{
		Status:  http.StatusBadRequest,
		TitleZh: "无法读取这次提交", TitleEn: "The form could not be read.",
		What:    "收到的内容不是本评价页的表单，或者在途中损坏了。",
		Means:   "还没有提交任何评价。",
		Do:      "请重新扫描评价器屏幕上的二维码，再评价一次。",
		English: "What arrived was not the form of this page, or was damaged on the way. Nothing was submitted. Please scan the code again.",
	}
	elsewhere = notice{
		Status:  http.StatusForbidden,
		TitleZh: "请在本页面评价", TitleEn: "Please rate on this page.",
		What:    "这次提交是从别的网站发来的。",
		Means:   "为防止他人借您的手机代评，提交没有被接受。",
		Do:      "请重新扫描评价器屏幕上的二维码，在打开的页面上评价。",
		English: "The form was sent from another site and was refused. Please scan the code again and rate on the page that opens.",
	}
	tooMany = notice{
		Status:  http.StatusTooManyRequests,
		TitleZh: "提交次数过多", TitleEn: "Too many submissions.",
		What:    "这个二维码在短时间内提交了太多次。",
		Means:   "最先收到的评价照常保留，这一次没有接受。",
		Do:      "不必再次提交。如果您还没有评价过，请向大厅咨询台或" + hotline + " 反映。",
		English: "This code was used too many times within a short time. What arrived first is kept; this submission was not accepted.",
	}
	complained = notice{
		Status: http.StatusOK, Done: true,
		TitleZh: "投诉已收到", TitleEn: "Your complaint has arrived.",
		What:  "您的投诉已经保存，并开立了整改工单。",
		Means: "办理单位会在规定期限内核实、整改并反馈；留有联系方式的会与您联系。窗口工作人员看不到投诉内容。",
		Do:    "可以关闭此页，不必再次提交。",
		English: "Your complaint is stored, and those who handled your case will look into it; if you left a contact you will hear from them. " +
			"You may close this page.",
	}
	complainedOfRetaliation = notice{
		Status: http.StatusOK, Done: true,
		TitleZh: "反映的情况已收到", TitleEn: "What you reported has arrived.",
		What:  "您反映的情况已经作为线索保存。",
		Means: "只有线索专员看得到，不转给被反映的单位和人员；留有联系方式的，由线索专员与您联系。",
		Do:    "可以关闭此页，不必再次提交。",
		English: "It is kept as a clue that only those named for such cases see. It is not passed on to the unit or person concerned. You may " +
			"close this page.",
	}
	tooLateToComplain = notice{
		Status:  http.StatusGone,
		TitleZh: "请通过其他渠道投诉", TitleEn: "Please complain another way.",
		What:    "这个二维码显示后 24 小时内可以投诉，现在已经超过时间。",
		Means:   "还没有提交任何内容。",
		Do:      "请拨打" + hotline + "，或到大厅咨询台、政务服务管理机构投诉。",
		English: "The code takes complaints for a day. Nothing was submitted. Please call 12345, or go to the information desk.",
	}
	outOfOrder = notice{
		Status:  http.StatusServiceUnavailable,
		TitleZh: "评价服务暂时不可用", TitleEn: "Rating is not available at the moment.",
		What:  "中心的评价系统出了故障，已经记录。",
		Means: "还没有提交任何评价。",
		Do:    "请过一两分钟刷新此页，或直接使用窗口的按键评价。",
		English: "The centre's system has a fault, which was logged. Nothing was submitted. Please reload this page in a minute, or use the " +
			"keys at the window.",
	}
)

// Notices of the page of a case.
var (
	storedOfCase = notice{
		Status: http.StatusOK, Done: true,
		TitleZh: "谢谢，评价已提交", TitleEn: "Thank you. Your rating is recorded.",
		What:  "您的评价已经保存并计入。",
		Means: "承办工作人员看不到您选择了什么。一个办件只评价一次，不论通过哪个渠道；如果您先前已在窗口按键评价，而那次按键因窗口断网还没有传到，以先按的为准。",
		Do:    "可以关闭此页。刷新此页不会重复提交。",
		English: "Your rating is stored and counts, unless you have pressed a key before at a window that was offline and is still to report " +
			"it: that goes first. Those who handled the case do not see what you chose. You may close this page.",
	}
	keptWaiting = notice{
		Status: http.StatusOK, Done: true,
		TitleZh: "谢谢，评价已保存", TitleEn: "Thank you. Your rating is stored.",
		What:  "您的评价已经保存。这个办件在本中心还没有办结的记录。",
		Means: "事项办结后可以评价一次：收到办结记录后，您的评价自动计入。",
		Do:    "可以关闭此页，不必再次提交。",
		English: "Your rating is stored. The centre does not know yet that the case is completed; as soon as it does, your rating counts. You " +
			"may close this page.",
	}
	keptLate = notice{
		Status: http.StatusOK, Done: true,
		TitleZh: "谢谢，评价已收到", TitleEn: "Thank you. Your rating has arrived.",
		What:  "您的评价已经保存。这个办件办结已超过5个工作日。",
		Means: "按规定，5个工作日内未评价的事项默认为基本满意；您的评价保存在旁，标注为逾期。",
		Do:    "可以关闭此页。需要反映问题请拨打" + hotline + "。",
		English: "Your rating is stored and marked late: after five working days a matter that nobody rated is rated fairly satisfied by " +
			"default. To report a problem please call 12345.",
	}
	ratedCase = notice{
		Status:  http.StatusConflict,
		TitleZh: "这个办件已经评价过了", TitleEn: "This case has already been rated.",
		What:  "这个办件已经收到评价，可能来自窗口，也可能来自网站、电话或短信。",
		Means: "一个办件只评价一次（一事一评），所以不再重复评价。",
		Do:    "如果您刚刚提交过，不必再操作。如果不是您本人评价的，请拨打" + hotline + " 反映。",
		English: "A rating of this case has already arrived, at the window, online, by telephone or by message, and a case is rated once. If " +
			"it was not yours, please call 12345.",
	}
	expiredLink = notice{
		Status:  http.StatusGone,
		TitleZh: "评价链接已过期", TitleEn: "This rating link has expired.",
		What:    "这个链接超过了有效期。",
		Means:   "还没有通过它提交任何评价。",
		Do:      "请回到政务服务网或 APP 的“我的办件”重新进入评价，或拨打" + hotline + "。",
		English: "The link can no longer be used. Nothing was submitted. Please open the rating again from the website or app, or call 12345.",
	}
	nothingFinished = notice{
		Status:  http.StatusNotFound,
		TitleZh: "现在没有可评价的办件", TitleEn: "There is nothing to rate at the moment.",
		What:  "这台自助终端在最近五分钟内没有办结的事项。",
		Means: "张贴的二维码只能评价刚刚在这台终端上办结的事项，不需要也不应输入办件编号。",
		Do:    "请在办结后五分钟内扫描。已经离开的，可通过政务服务网或" + hotline + " 评价。",
		English: "Nothing was completed at this terminal in the last five minutes. The posted code is for what was just completed here; " +
			"otherwise please rate through the government website or call 12345.",
	}
	openedElsewhere = notice{
		Status:  http.StatusConflict,
		TitleZh: "已在另一部手机上打开", TitleEn: "It is open on another phone.",
		What:  "这台自助终端刚刚办结的事项，已由另一部手机打开。",
		Means: "每次只能由一部手机评价，以免他人代为评价。",
		Do:    "如果刚办完事的是您，请一分钟后再扫一次，或在终端屏幕上评价；仍不能评价的，请告诉工作人员或致电" + hotline + "。",
		English: "What was just completed here is open on another phone. If it was yours, please scan the code again in a minute, or rate on " +
			"the terminal's screen; else tell the staff or call 12345.",
	}
	damagedLink = notice{
		Status:  http.StatusBadRequest,
		TitleZh: "评价链接不完整", TitleEn: "This rating link is damaged.",
		What:  "链接里有一部分缺失或被改动了，或者它不是本中心发出的。",
		Means: "还没有提交任何评价。",
		Do:    "请从原来的页面、短信或二维码重新打开链接。请不要在来历不明的评价页面填写个人信息。",
		English: "A part of the link is missing or was changed, or it is not of this centre. Nothing was submitted. Please open it again where " +
			"you found it.",
	}
)

// Notices of the page behind a message about the work on a rating.
var (
	judged = notice{
		Status: http.StatusOK, Done: true,
		TitleZh: "谢谢，答复已收到", TitleEn: "Thank you. Your answer has arrived.",
		What:    "您的答复已经保存。",
		Means:   "由政务服务管理机构处理；首次不满意的，承办单位要再次办理。为您办事的工作人员看不到您是谁、写了什么。",
		Do:      "可以关闭此页，不必再次提交。",
		English: "Your answer is stored. If you are not satisfied, the unit has to work on it once more. You may close this page.",
	}
	appealed = notice{
		Status: http.StatusOK, Done: true,
		TitleZh: "申诉已收到", TitleEn: "Your appeal has arrived.",
		What:  "您的申诉已经保存，由政务服务管理机构处理。",
		Means: "管理机构一般在5个工作日内给出结论。申诉成立的，承办单位要再次办理；为您办事的工作人员看不到您是谁、写了什么。",
		Do:    "可以关闭此页，以后用同一链接查看结论。",
		English: "Your appeal is stored and the office decides about it, usually within five working days. The same link " +
			"shows what it has decided.",
	}
	appealedBefore = notice{
		Status:  http.StatusConflict,
		TitleZh: "现在不能申诉", TitleEn: "There can be no appeal now.",
		What:  "这件事还在办理，或者已经申诉过一次。",
		Means: "这一次没有另外保存。",
		Do:    "如果不是您本人申诉的，或者还有问题，请拨打" + hotline + "。",
		English: "It is still being worked on, or there was an appeal already; this one was not stored. If that was not yours, please " +
			"call 12345.",
	}
	judgedBefore = notice{
		Status:  http.StatusConflict,
		TitleZh: "这次回访已经结束", TitleEn: "This is not asked any more.",
		What:    "这次回访已经有了答复，可能来自短信或电话。",
		Means:   "这一次没有另外保存。",
		Do:      "如果不是您本人答复的，或者还有问题，请拨打" + hotline + "。",
		English: "There is an answer already, by message or telephone; this one was not stored. If it was not yours, please call 12345.",
	}
	expiredTold = notice{
		Status:  http.StatusGone,
		TitleZh: "链接已过期", TitleEn: "This link has expired.",
		What:    "这个链接超过了有效期。",
		Means:   "没有保存任何内容。",
		Do:      "需要了解办理情况，请拨打" + hotline + "。",
		English: "The link can no longer be used. Nothing was stored. Please call 12345.",
	}
)
