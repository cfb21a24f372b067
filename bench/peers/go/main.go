// A reader for `npm run bench -- decode`: go-mysql's BinlogSyncer. What it is told and what it answers is in
// bench/README.md.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
	"golang.org/x/sys/unix"
)

var (
	host      = flag.String("host", "127.0.0.1", "")
	port      = flag.Int("port", 3306, "")
	user      = flag.String("user", "root", "")
	flavor    = flag.String("flavor", "mariadb", "")
	table     = flag.String("table", "", "")
	file      = flag.String("file", "", "")
	position  = flag.Int("position", 4, "")
	untilRows = flag.Int("until-rows", 0, "")
	mode      = flag.String("mode", "rows", "")
	serverID  = flag.Int("server-id", 1, "")
)

func main() {
	flag.Parse()
	// The end of the input ends the process, also in the middle of a pass: the bench is gone.
	commands := make(chan string, 16)
	go func() {
		input := bufio.NewScanner(os.Stdin)
		for input.Scan() {
			commands <- input.Text()
		}
		os.Exit(0)
	}()
	say(map[string]any{"event": "ready"})
	for command := range commands {
		if command != "pass" {
			continue
		}
		if err := pass(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func pass() error {
	connect := time.Now()
	syncer := replication.NewBinlogSyncer(replication.BinlogSyncerConfig{
		ServerID: uint32(*serverID),
		Flavor:   *flavor,
		Host:     *host,
		Port:     uint16(*port),
		User:     *user,
		Logger:   slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	defer syncer.Close()
	streamer, err := syncer.StartSync(mysql.Position{Name: *file, Pos: uint32(*position)})
	if err != nil {
		return err
	}
	name := (*table)[strings.IndexByte(*table, '.')+1:]
	handle := counter(connect)
	if *mode == "latency" {
		handle = meter()
	}
	for {
		event, err := streamer.GetEvent(context.Background())
		if err != nil {
			return err
		}
		rows, isRows := event.Event.(*replication.RowsEvent)
		if isRows && string(rows.Table.Table) == name && handle(rows.Rows) {
			return nil
		}
	}
}

func counter(connect time.Time) func([][]any) bool {
	var start time.Time
	count, idSum, bodyLength := 0, int64(0), 0
	return func(rows [][]any) bool {
		if count == 0 {
			start = time.Now()
		}
		for _, row := range rows {
			idSum += row[0].(int64)
			switch body := row[len(row)-1].(type) {
			case []byte:
				bodyLength += len(body)
			case string:
				bodyLength += len(body)
			}
		}
		count += len(rows)
		if count < *untilRows {
			return false
		}
		say(map[string]any{
			"event": "result", "rows": count, "seconds": time.Since(start).Seconds(),
			"firstRowMs": start.Sub(connect).Seconds() * 1000, "idSum": idSum, "bodyLength": bodyLength,
		})
		return true
	}
}

func meter() func([][]any) bool {
	probed := false
	latencies := make([]int64, 0, 1<<16)
	return func(rows [][]any) bool {
		now := monotonicUs()
		if !probed {
			probed = true
			say(map[string]any{"event": "streaming"})
		}
		for _, row := range rows {
			sent := row[1].(int64)
			if sent > 0 {
				latencies = append(latencies, now-sent)
			} else if sent < 0 {
				sort.Slice(latencies, func(a, b int) bool { return latencies[a] < latencies[b] })
				say(map[string]any{"event": "result", "rows": len(latencies), "latenciesUs": map[string]int64{
					"p50": at(latencies, 0.5), "p90": at(latencies, 0.9), "p99": at(latencies, 0.99), "max": at(latencies, 1),
				}})
				return true
			}
		}
		return false
	}
}

func at(sorted []int64, share float64) int64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(float64(len(sorted))*share))]
}

// The clock that the writer's `sent` was taken from.
func monotonicUs() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic(err)
	}
	return now.Nano() / 1000
}

func say(message map[string]any) {
	line, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}
