package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"haochaping/internal/boxconfig"
	"haochaping/internal/condition"
	"haochaping/internal/rating"
	"haochaping/store"
)

// checkLog reads the whole log, as the daemon does once a day, and asks the daemon whether it can be written.
func checkLog(_ context.Context, p *patient) finding {
	n, err := p.log, p.logErr
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return trouble(sick, "还没有记录文件", "there is no log yet", "ratingd 从未在这里运行", "ratingd has never run here", "启动一次 ratingd；如已运行，核对配置的 state",
			"start ratingd once; if it has run, look at state in the configuration")
	case errors.Is(err, fs.ErrPermission):
		return forbidden(err)
	case err != nil:
		return logDamaged(err)
	case n.Device != p.config.Device:
		return trouble(sick, fmt.Sprintf("这是评价器 %s 的记录", n.Device), fmt.Sprintf("it is the log of the box %s", n.Device),
			"存储卡插错了机器，或配置的 device 改过",
			"the card is in the wrong box, or device in the configuration was changed", "把卡插回原机；否则 ratingd 会另存这份记录并新建自己的",
			"put the card back into that box; ratingd sets a foreign log aside and starts one of its own")
	}
	var oldest rating.Stamp
	count := 0
	if err := n.Records(0, func(r rating.Record, _ []byte) error {
		if count++; r.Seq == n.Released+1 {
			oldest = r.At
		}
		return nil
	}); err != nil {
		return logDamaged(err)
	}
	if part, ok := p.part("store"); ok && !part.OK {
		return partFinding(part)
	}
	waiting := n.Last - min(n.Last, n.Released)
	zh, en := fmt.Sprintf("%d 条记录全部完好，最多 %d 条待上传", count, waiting),
		fmt.Sprintf("%s, all sound; at most %d wait for the centre", recordsText(count), waiting)
	if waiting > 0 && oldest.Synced {
		zh, en = zh+"，最早的在 "+momentText(oldest.Time()), en+", the oldest since "+oldest.Time().In(beijing()).Format("2006-01-02 15:04")
	}
	return fine(zh, en)
}

func recordsText(n int) string {
	if n == 1 {
		return "1 record"
	}
	return fmt.Sprintf("%d records", n)
}

func logDamaged(err error) finding {
	return trouble(sick, "记录文件损坏："+err.Error(), "the log is damaged: "+err.Error(), "ratingd 会另存损坏的文件、新建一份并抢救可读的记录",
		"ratingd sets it aside, goes on with a new one and salvages what can be read",
		"systemctl restart ratingd；之后再次运行 ratingctl doctor", "restart ratingd, and run the doctor again")
}

// checkAside looks for logs that were set aside.
func checkAside(_ context.Context, p *patient) finding {
	files, err := store.Aside(logPath(p.config))
	if err == nil && len(files) == 0 {
		_, err = os.ReadDir(p.config.State) // else nothing was found because nothing may be seen
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return forbidden(err)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return trouble(sick, err.Error(), err.Error(), "看不到存储目录", "the state folder cannot be seen", "检查目录 "+p.config.State,
			"look at the folder "+p.config.State)
	case len(files) == 0:
		return fine("从未有损坏的记录文件", "no log was ever set aside")
	}
	list := ""
	for _, f := range files {
		list += "\n                 " + f
		if info, err := os.Stat(f); err == nil {
			list += fmt.Sprintf("  %s, %d bytes", info.ModTime().In(beijing()).Format("2006-01-02 15:04"), info.Size())
		}
	}
	return trouble(sick, "有因损坏而另存的记录文件："+list, "logs were set aside because they were damaged, as listed above", "存储卡可能即将损坏",
		"the storage card may be dying",
		"更换存储卡；ratingctl log 中 damage 和 salvage 说明抢救了哪些；中心确认没有缺失之前不要删除这些文件",
		"replace the card; ratingctl log tells under \"damage\" and \"salvage\" what was read; keep the files until the centre misses nothing")
}

// checkDisk looks at the room, and tries to write where no daemon says whether it can.
func checkDisk(_ context.Context, p *patient) finding {
	state := p.config.State
	var s unix.Statfs_t
	switch err := unix.Statfs(state, &s); {
	case errors.Is(err, fs.ErrPermission):
		return forbidden(err)
	case errors.Is(err, fs.ErrNotExist):
		return trouble(sick, "没有存储目录 "+state, "there is no folder "+state, "ratingd 从未运行，或配置的 state 不对",
			"ratingd has never run, or state in the configuration is wrong",
			"启动 ratingd，它会建立目录", "start ratingd, which makes it")
	case err != nil:
		return trouble(sick, state+"："+err.Error(), state+": "+err.Error(), "看不到存储目录", "the state folder cannot be seen", "检查存储卡（dmesg）",
			"look at the storage card (dmesg)")
	}
	free := s.Bavail * uint64(s.Bsize)
	zh, en := fmt.Sprintf("%s 剩余 %s", state, bytesText(free)), fmt.Sprintf("%d MB are free in %s", free>>20, state)
	switch {
	case s.Flags&unix.ST_RDONLY != 0:
		return trouble(sick, zh+"，但已变为只读", en+", which is read-only", "按键停用", "the keys are out of service",
			"系统会把出错的磁盘变为只读：看 dmesg，重启，更换存储卡", "the system makes a failing disk read-only: look at dmesg, restart the box, replace the card")
	case free < condition.LeastFree:
		return of("disk.low", errors.New(bytesText(free)))
	}
	if p.status != nil {
		return fine(zh, en)
	}
	probe, err := os.CreateTemp(state, ".doctor-*")
	if errors.Is(err, fs.ErrPermission) {
		return forbidden(err)
	}
	if err == nil {
		err = errors.Join(probe.Sync(), probe.Close(), os.Remove(probe.Name()))
	}
	if err != nil {
		return trouble(sick, "无法写入 "+state+"："+err.Error(), "a file cannot be written to "+state+": "+err.Error(), "按键停用",
			"the keys are out of service", "更换存储卡", "replace the storage card")
	}
	return fine(zh+"，可以写入", en+"; it can be written")
}

// checkKey looks at the box's own key.
func checkKey(_ context.Context, p *patient) finding {
	if _, err := os.Stat(filepath.Join(p.config.State, boxconfig.IdentityFile)); errors.Is(err, fs.ErrNotExist) {
		return trouble(sick, "本机还没有密钥", "the box has no key yet", "无法在中心登记", "it cannot be enrolled",
			"启动一次 ratingd，或运行 ratingctl identity，然后在中心登记",
			"start ratingd once, or run ratingctl identity, and enrol the box at the centre")
	}
	key, err := p.config.Identity()
	switch {
	case errors.Is(err, fs.ErrPermission):
		return forbidden(err)
	case err != nil:
		return trouble(sick, err.Error(), err.Error(), "ratingd 不会启动", "ratingd does not start", "从备份恢复该文件；没有备份则删除它并重新登记",
			"restore the file from a copy, or remove it and enrol the box anew")
	}
	if other := p.config.OtherAlgorithm(key); other != "" {
		return trouble(noted, fmt.Sprintf("密钥的算法是 %s，配置写的是 %s", other, p.config.RecordAlgorithm),
			fmt.Sprintf("the key is one of %s, and record_algorithm is %s", other, p.config.RecordAlgorithm), "继续使用现有密钥，记录照常上传",
			"the box goes on with the key that it has, and its records are sent", "改回配置，或按 docs/crypto.md 更换密钥并重新登记",
			"change the line back, or change the key and enrol the box anew as docs/crypto.md says")
	}
	return fine("公钥 "+keyText(key), "the public key of the box")
}
