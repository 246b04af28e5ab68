package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"haochaping/internal/central/directory/account"
)

// state is what a page says that shows nothing else.
type state struct {
	Status int
	Title  string
	Words  string
	Next   string // what to do
	Path   string // where to do it, empty: nowhere
	Link   string
}

// fail answers a request that came to nothing. The log gets the route and no path, which may be a link that opens an account.
func (s *Site) fail(c *Call, err error) {
	r := c.R
	switch {
	case errors.Is(err, errSignIn) && safe(r.Method) && wantsPage(r):
		target := "/signin"
		if r.URL.Path != "/" {
			target += "?to=" + url.QueryEscape(r.URL.RequestURI())
		}
		http.Redirect(c.W, r, target, http.StatusSeeOther)
		return
	case errors.Is(err, errSecond) && safe(r.Method) && wantsPage(r):
		http.Redirect(c.W, r, "/me/second", http.StatusSeeOther)
		return
	case errors.Is(err, errSignIn), errors.Is(err, account.ErrSignedOut):
		c.W.Header().Set("WWW-Authenticate", `Bearer realm="haochaping"`)
	}
	st := s.stateOf(c, err)
	if st.Status >= 500 && r.Context().Err() == nil {
		s.cfg.Logger.Error("centre's page", "route", r.Pattern, "err", err)
	}
	if strings.HasPrefix(r.URL.Path, forPrograms) {
		p := Problem{Status: st.Status, Detail: st.Words}
		if refusal := new(Refusal); errors.As(err, &refusal) {
			p.Code, p.Errors = refusal.Code, refusal.Errors
		}
		problem(c.W, p)
		return
	}
	if !wantsPage(r) {
		http.Error(c.W, st.Words, st.Status)
		return
	}
	if e := c.ShowStatus(st.Status, "frame/state", st); e != nil {
		s.cfg.Logger.Error("centre's page", "route", r.Pattern, "err", e)
		http.Error(c.W, st.Words, st.Status)
	}
}

// wantsPage reports whether whoever asks reads pages. Programs say otherwise, or show a token.
func wantsPage(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return r.Header.Get("Authorization") == "" && (strings.Contains(accept, "text/html") || accept == "" || accept == "*/*") &&
		!strings.HasPrefix(r.URL.Path, forPrograms)
}

// stateOf returns what people read about an error.
func (s *Site) stateOf(c *Call, err error) state {
	var refusal *Refusal
	var soon *account.TooSoon
	var big *http.MaxBytesError
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, account.ErrNoAccount), errors.Is(err, errSecond):
		return state{http.StatusNotFound, "没有这个页面", "这里没有内容，或者不在您的角色范围内。Nothing is here, or your role does not reach it.",
			"如果您认为应当看到它，请联系上级管理机构核对授权。", "/", "回到首页"}
	case errors.Is(err, errSignIn), errors.Is(err, account.ErrSignedOut):
		return state{http.StatusUnauthorized, "请先登录", "登录已结束或尚未登录。Sign in first.", "", "/signin", "登录"}
	case errors.Is(err, errNobody):
		return state{http.StatusServiceUnavailable, "还没有账号", "在中心服务器上运行 centrald account add 开通第一个账号，并打开它打印的一次性链接。No account was added yet.", "",
			"", ""}
	case errors.Is(err, ErrPlain):
		return state{http.StatusForbidden, "只能用 HTTPS 登录", "这个连接没有加密。This connection is not encrypted.",
			"请使用 https:// 地址；若前面有代理，请管理员检查 admin.proxies。", "", ""}
	case errors.As(err, &refusal):
		status := refusal.Status
		if status == 0 {
			status = http.StatusBadRequest
		}
		return state{status, "没有完成", refusal.Words, "请返回上一页修改后再试。", "", ""}
	case errors.As(err, &soon):
		c.W.Header().Set("Retry-After", strconv.FormatInt(soon.Seconds(), 10))
		return state{http.StatusTooManyRequests, "请稍后再试", soon.Error(), "", "", ""}
	case errors.Is(err, account.ErrBusy):
		c.W.Header().Set("Retry-After", "10")
		return state{http.StatusServiceUnavailable, "登录的人太多", "请过几秒再试。Too many sign-ins at once.", "", "", ""}
	case errors.Is(err, account.ErrNoRole), errors.Is(err, account.ErrBarred):
		return state{http.StatusForbidden, "不能登录", err.Error(), "", "/signin", "回到登录页"}
	case errors.Is(err, account.ErrProvided), errors.Is(err, account.ErrGrant), errors.Is(err, account.ErrPassword),
		errors.Is(err, account.ErrLogin), errors.Is(err, account.ErrChanged), errors.Is(err, account.ErrWrong), errors.Is(err, account.ErrLink):
		return state{http.StatusUnprocessableEntity, "没有完成", err.Error(), "请返回上一页修改后再试。", "", ""}
	case errors.As(err, &big):
		return state{http.StatusRequestEntityTooLarge, "内容太大", "提交的内容超出了限制。The request is too large.", "", "", ""}
	}
	return state{http.StatusServiceUnavailable, "暂时不可用", "数据库暂时读不到，请稍后刷新。The database cannot be read at the moment.",
		"如果一直如此，请联系运维人员查看 centrald 的日志。", "", ""}
}
