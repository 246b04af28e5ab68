package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"haochaping/display"
	"haochaping/internal/keptfile"
	"haochaping/internal/rating"
)

// checkText looks for names, matters and photos that the screen cannot draw: those of the window and its staff, and of the visits in
// the log.
func checkText(_ context.Context, p *patient) finding {
	c := p.config.Screen
	if !c.Seen() {
		return fine("未配置屏幕", "no screen is configured")
	}
	fonts, fontErr := display.LoadFonts(c.Fonts)
	members, err := keptRoster(p.config.State)
	if errors.Is(err, fs.ErrPermission) {
		return forbidden(err)
	}
	texts, photos := p.shownTexts(), []string(nil)
	for _, m := range members {
		texts = append(texts, m.Name, m.ID, m.Department)
		if len(m.Photo) == 0 {
			continue
		}
		if _, err := rating.DecodePhoto(m.Photo); err != nil {
			photos = append(photos, m.ID)
		}
	}
	slices.Sort(texts)
	var odd []string
	for _, t := range slices.Compact(texts) {
		if missing := fonts.Missing(t); len(missing) > 0 {
			odd = append(odd, fmt.Sprintf("%s (%s)", t, strings.ReplaceAll(fmt.Sprintf("%U", missing), "\n", " ")))
		}
	}
	const most = 5
	switch {
	case fontErr != nil:
		return trouble(noted, "字体不能用："+fontErr.Error(), "a font is not used: "+fontErr.Error(),
			"其余字体照常使用；缺的字显示为带编号的方框", "the other fonts are; a character that they lack is a box with its number",
			"重新安装该字体，例如 apt-get install --reinstall fonts-noto-cjk，或从 screen.fonts 中删去",
			"install it anew, as by apt-get install --reinstall fonts-noto-cjk, or take it out of screen.fonts")
	case len(odd) > 0:
		shown := strings.Join(odd[:min(len(odd), most)], "；")
		return trouble(noted, fmt.Sprintf("屏幕缺字，涉及 %d 处：%s", len(odd), shown),
			fmt.Sprintf("%d texts have characters that no font has: %s", len(odd), shown),
			"这些字显示为带编号的方框", "they are drawn as boxes with their numbers",
			"安装 fonts-noto-cjk，或在 screen.fonts 中写入有这些字的字体；在中心核对姓名和事项名称",
			"install fonts-noto-cjk, or name a font that has them in screen.fonts; look at the names at the centre")
	case len(photos) > 0:
		ids := strings.Join(photos[:min(len(photos), most)], ", ")
		return trouble(noted, "照片无法显示，工号 "+ids, "photos cannot be shown, of the staff numbers "+ids,
			"屏幕不显示这些人的照片，其余照常", "the screen leaves them out; all else works",
			"另存为普通 JPEG（240×300 像素），在中心重新登记", "save them anew as ordinary JPEGs of 240 x 300 pixels, and enter them at the centre again")
	case err != nil:
		return trouble(noted, "人员名单不能读："+err.Error(), "the list of staff cannot be read: "+err.Error(),
			"没有检查姓名和照片", "names and photos were not looked at",
			"中心会再次发送名单；之后再查", "the centre sends it again; look again then")
	}
	return fine(fmt.Sprintf("%d 处名称和照片都能显示", len(texts)), fmt.Sprintf("all of %d names, and the photos, can be drawn", len(texts)))
}

// keptRoster returns the staff that the centre has sent, as the daemon keeps them.
func keptRoster(state string) (all []rating.Member, err error) {
	b, err := keptfile.ReadSmall(filepath.Join(state, "roster.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	return all, err
}

// shownTexts returns what the screen has had to show: names of window and staff, and matters, of the visits in the log.
func (p *patient) shownTexts() (texts []string) {
	if p.status != nil && p.status.Window != nil {
		texts = append(texts, p.status.Window.Hall, p.status.Window.Name)
	}
	if p.log == nil {
		return texts
	}
	seen := make(map[string]bool)
	// That the log can be read is said elsewhere.
	_ = p.log.Records(0, func(r rating.Record, _ []byte) error {
		if r.Kind != rating.KindVisit {
			return nil
		}
		v := r.Visit
		all := []string{v.Window.Hall, v.Window.Name, v.Staff.Name, v.Staff.Department, v.Window.Staff.Name, v.Window.Staff.Department}
		for _, c := range v.Cases {
			all = append(all, c.TaskName)
		}
		for _, t := range all {
			if t != "" && !seen[t] {
				seen[t] = true
				texts = append(texts, t)
			}
		}
		return nil
	})
	return texts
}
