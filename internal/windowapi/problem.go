package windowapi

import (
	"fmt"
	"net/http"
	"strings"

	"haochaping/internal/rating"
)

// text is a problem in one language.
type text struct {
	Title  string `json:"title"`  // what happened
	Detail string `json:"detail"` // what it means and what to do
}

// problem is an error of the API as RFC 9457 has it.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	ZH     text   `json:"zh"`
	EN     text   `json:"en"`

	Pointer string         `json:"pointer,omitempty"`
	State   string         `json:"state,omitempty"`
	Outcome rating.Outcome `json:"outcome,omitempty"`
	Article int            `json:"article,omitempty"`
	Rule    rating.Rule    `json:"rule,omitempty"`
	Case    string         `json:"case,omitempty"`

	retryAfter int // seconds, 0 for none
}

func newProblem(name string, status int, zh, en text) problem {
	return problem{Type: "urn:hcp:problem:" + name, Status: status, ZH: zh, EN: en}
}

// in returns the problem in the language that a client prefers, which is Chinese unless it asks for English first.
func (p problem) in(acceptLanguage string) problem {
	t := p.ZH
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(acceptLanguage)), "en") {
		t = p.EN
	}
	p.Title, p.Detail = t.Title, t.Detail
	return p
}

func problemToken() problem {
	return newProblem("token", http.StatusUnauthorized,
		text{"令牌缺失或无效", "本电脑没有有效的令牌，评价未发起。请管理员在评价器上运行 ratingctl token add，并在请求头写 Authorization: Bearer 和令牌。"},
		text{"The token is missing or not valid", "This PC is not known to the box, and nothing was done. Let the administrator run ratingctl " +
			"token add on the box, and send Authorization: Bearer with the token."})
}

func problemHost(host string) problem {
	return newProblem("origin", http.StatusForbidden,
		text{"访问地址不允许", fmt.Sprintf("评价器不接受以 %q 为名的访问，以防网页冒用。请使用评价器的 IP 地址，或由管理员将该名称加入 window_api.hosts。", host)},
		text{"The host is not allowed", fmt.Sprintf("The box does not go by the name %q, which protects it from web pages that use names of "+
			"their own. Use its IP address, or let the administrator add the name to window_api.hosts.", host)})
}

func problemOrigin(origin string) problem {
	return newProblem("origin", http.StatusForbidden,
		text{"网页来源不允许", fmt.Sprintf("来自 %q 的网页不可调用评价器。如为本单位业务系统，请管理员将其来源加入 window_api.origins。", origin)},
		text{"The origin is not allowed", fmt.Sprintf("Pages from %q may not call the box. If it is the hall's business system, let the "+
			"administrator add its origin to window_api.origins.", origin)})
}

func problemNotFound() problem {
	return newProblem("not-found", http.StatusNotFound,
		text{"没有这个地址", "请求的路径不存在。请对照评价器 /openapi.yaml 检查路径。"},
		text{"There is nothing at this path", "Compare the path with the box's /openapi.yaml."})
}

func problemMethod() problem {
	return newProblem("method", http.StatusMethodNotAllowed,
		text{"该地址不支持此方法", "请对照评价器 /openapi.yaml 检查方法，响应头 Allow 列出了可用的方法。"},
		text{"This path does not have the method", "Compare the method with the box's /openapi.yaml; the header Allow lists those there are."})
}

func problemNoVisit() problem {
	return newProblem("no-visit", http.StatusNotFound,
		text{"没有这次评价", "评价器不知道这个编号：可能写错，或已过去很久。请检查编号，需要时重新发起。"},
		text{"There is no such visit", "The box does not know the id: it is mistyped or long ago. Check it, and open a new visit where one is " +
			"needed."})
}

func problemEnded(o rating.Outcome) problem {
	p := newProblem("ended", http.StatusConflict,
		text{"这次评价已经结束", "它已结束，不能再取消；结果见 outcome。无需处理。"},
		text{"The visit has ended", "It can no longer be cancelled; outcome says how it ended. There is nothing to do."})
	p.Outcome = o
	return p
}

func problemMediaType() problem {
	return newProblem("media-type", http.StatusUnsupportedMediaType,
		text{"请求体应为 JSON", "请求未处理。请在请求头写 Content-Type: application/json。"},
		text{"The body must be JSON", "Nothing was done. Send Content-Type: application/json."})
}

func problemTooLarge() problem {
	return newProblem("too-large", http.StatusRequestEntityTooLarge,
		text{"请求太大", fmt.Sprintf("请求体最多 %d KiB，其中办件记录后最多 %d KiB，请求未处理。请减少办件数量或去掉事项名称。", maxBody>>10, rating.MaxVisit>>10)},
		text{"The request is too large", fmt.Sprintf("A body may have %d KiB, and a visit %d KiB as it is recorded; nothing was done. Send "+
			"fewer cases, or leave their names out.", maxBody>>10, rating.MaxVisit>>10)})
}

func problemTooSlow() problem {
	return newProblem("too-slow", http.StatusRequestTimeout,
		text{"请求没有发完", "请求体在限定时间内没有收全，请求未处理。请检查网络后重试。"},
		text{"The request did not arrive whole", "Its body was not complete in time, and nothing was done. Check the network and try again."})
}

func problemTooMany(seconds int) problem {
	p := newProblem("too-many", http.StatusTooManyRequests,
		text{"请求太频繁", "评价器暂不处理更多请求。请按 Retry-After 等待后重试；查询结果请用 ?wait=25s 或 /v1/events，不要频繁轮询。"},
		text{"Too many requests", "The box takes no more at present. Wait as Retry-After says and try again; follow a visit by ?wait=25s or " +
			"/v1/events in place of polling."})
	p.retryAfter = seconds
	return p
}

func problemNoPrint() problem {
	return newProblem("no-print", http.StatusForbidden,
		text{"不允许打印二维码", "评价器没有开放打印，屏幕上的二维码仍可使用。需要在回执上打印时，请管理员设置 window_api.print_qr = true。"},
		text{"Printing the QR code is not allowed", "The code on the screen works. To print it on receipts let the administrator set " +
			"window_api.print_qr = true."})
}

func problemInternal() problem {
	return newProblem("internal", http.StatusInternalServerError,
		text{"评价器内部错误", "请求可能没有完成。请稍后重试；如仍失败，请管理员在评价器上运行 ratingctl doctor。"},
		text{"The box has an internal error", "The request may not have been carried out. Try again; if it fails again, let the administrator " +
			"run ratingctl doctor on the box."})
}

func problemKeyReused() problem {
	return newProblem("key-reused", http.StatusUnprocessableEntity,
		text{"Idempotency-Key 已用于另一请求", "同一个键此前的请求内容不同，本次未发起。每次新的评价请用新的键，重试时内容须与原请求完全一致。"},
		text{"The Idempotency-Key belongs to another request", "An earlier request with this key had another body, so nothing was opened. Use " +
			"a new key for each visit, and repeat a request byte by byte."})
}

// problemInvalid says of one field what is wrong, in Chinese and in English.
func problemInvalid(pointer, zh, en string) problem {
	field, fieldEN := "", ""
	if pointer != "" {
		field, fieldEN = "字段 "+pointer+"：", pointer+": "
	}
	p := newProblem("invalid", http.StatusUnprocessableEntity,
		text{"请求不符合要求", field + zh + "请求未处理，请改正后重新发送。"},
		text{"The request is not valid", fieldEN + en + " Nothing was done; correct it and send it again."})
	p.Pointer = pointer
	return p
}

func problemRule(e *rating.RuleError) problem {
	p := newProblem("rule", http.StatusUnprocessableEntity,
		text{fmt.Sprintf("不符合《甘肃省政务服务好差评管理办法》第%d条", e.Article), e.Chinese + e.ChineseAdvice},
		text{fmt.Sprintf("Against article %d of the regulation", e.Article), e.English + ". " + e.EnglishAdvice})
	p.Article, p.Rule, p.Case = e.Article, e.Rule, e.Case
	return p
}

// problemNotReady says why the window cannot ask, by the state that it is in.
func problemNotReady(state string) problem {
	zh := map[string]string{
		StateStarting:  "评价器正在启动，请几秒后重试。",
		StateEnrolling: "评价器尚未登记到中心，请管理员完成登记。",
		StatePaused:    "窗口已暂停，请先恢复（DELETE /v1/pause）。",
		StateClosed:    "窗口没有工作人员登录，请先登录（PUT /v1/staff）或刷卡。",
		StateStopping:  "评价器正在关闭，请稍后重试。",
	}
	en := map[string]string{
		StateStarting:  "The box is starting; try again in a few seconds.",
		StateEnrolling: "The box is not enrolled yet; let the administrator enrol it.",
		StatePaused:    "The window is paused; resume it first (DELETE /v1/pause).",
		StateClosed:    "Nobody is signed in; sign in first (PUT /v1/staff) or by card.",
		StateStopping:  "The box is shutting down; try again later.",
	}
	p := newProblem("not-ready", http.StatusConflict, text{"窗口暂不能评价", zh[state]}, text{"The window cannot ask now", en[state]})
	p.State = state
	return p
}
