import com.github.shyiko.mysql.binlog.BinaryLogClient;
import com.github.shyiko.mysql.binlog.event.Event;
import com.github.shyiko.mysql.binlog.event.EventData;
import com.github.shyiko.mysql.binlog.event.TableMapEventData;
import com.github.shyiko.mysql.binlog.event.WriteRowsEventData;
import com.github.shyiko.mysql.binlog.network.SSLMode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * A reader for `npm run bench -- decode`: mysql-binlog-connector-java with its default deserializer, which builds every
 * value of every row. What it is told and what it answers is in bench/README.md.
 */
public final class Reader {
  private final Map<String, String> options;
  private final String table;
  private final long untilRows;

  private boolean wanted;
  private boolean ended;
  private long connectNs;
  private long startNs;
  private long rows;
  private long idSum;
  private long bodyLength;
  private boolean probed;
  private long[] latencies = new long[1 << 16];

  private Reader(Map<String, String> options) {
    this.options = options;
    this.table = options.get("table").split("\\.")[1];
    this.untilRows = Long.parseLong(options.get("until-rows"));
  }

  public static void main(String[] arguments) throws Exception {
    Logger.getLogger("").setLevel(Level.OFF);
    Map<String, String> options = new HashMap<>();
    for (int i = 0; i + 1 < arguments.length; i += 2) options.put(arguments[i].substring(2), arguments[i + 1]);
    LinkedBlockingQueue<String> commands = commandsFromStandardInput();
    say("{\"event\":\"ready\"}");
    while (true) {
      if (commands.take().equals("pass")) new Reader(options).pass();
    }
  }

  /** The end of the input ends the process, also in the middle of a pass: the bench is gone. */
  private static LinkedBlockingQueue<String> commandsFromStandardInput() {
    LinkedBlockingQueue<String> commands = new LinkedBlockingQueue<>();
    Thread thread = new Thread(() -> {
      try (BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
        for (String line = input.readLine(); line != null; line = input.readLine()) commands.add(line);
      } catch (IOException error) {
        System.err.println(error);
      }
      System.exit(0);
    });
    thread.setDaemon(true);
    thread.start();
    return commands;
  }

  private void pass() throws IOException {
    BinaryLogClient client = new BinaryLogClient(options.get("host"), Integer.parseInt(options.get("port")), options.get("user"), "");
    client.setServerId(Long.parseLong(options.get("server-id")));
    client.setBinlogFilename(options.get("file"));
    client.setBinlogPosition(Long.parseLong(options.get("position")));
    client.setKeepAlive(false);
    client.setSSLMode(SSLMode.DISABLED);
    boolean latency = options.get("mode").equals("latency");
    client.registerEventListener(event -> {
      if (ended || !isWanted(event)) return;
      List<Serializable[]> batch = ((WriteRowsEventData) event.getData()).getRows();
      ended = latency ? measure(batch) : count(batch);
      if (!ended) return;
      try {
        client.disconnect();
      } catch (IOException error) {
        System.err.println(error);
      }
    });
    connectNs = System.nanoTime();
    client.connect(); // returns when disconnected
    if (!ended) throw new IOException("the stream ended after " + rows + " rows");
  }

  private boolean isWanted(Event event) {
    EventData data = event.getData();
    if (data instanceof TableMapEventData) wanted = ((TableMapEventData) data).getTable().equals(table);
    return wanted && data instanceof WriteRowsEventData;
  }

  private boolean count(List<Serializable[]> batch) {
    if (startNs == 0) startNs = System.nanoTime();
    for (Serializable[] row : batch) {
      idSum += (Long) row[0];
      Serializable body = row[row.length - 1];
      bodyLength += body instanceof byte[] ? ((byte[]) body).length : ((String) body).length();
    }
    rows += batch.size();
    if (rows < untilRows) return false;
    say(String.format(Locale.ROOT,
        "{\"event\":\"result\",\"rows\":%d,\"seconds\":%.6f,\"firstRowMs\":%.3f,\"idSum\":%d,\"bodyLength\":%d}",
        rows, (System.nanoTime() - startNs) / 1e9, (startNs - connectNs) / 1e6, idSum, bodyLength));
    return true;
  }

  /** System.nanoTime is CLOCK_MONOTONIC on Linux, the clock that the writer's `sent` was taken from. */
  private boolean measure(List<Serializable[]> batch) {
    long nowUs = System.nanoTime() / 1000;
    if (!probed) {
      probed = true;
      say("{\"event\":\"streaming\"}");
    }
    for (Serializable[] row : batch) {
      long sent = (Long) row[1];
      if (sent > 0) {
        if (rows == latencies.length) latencies = Arrays.copyOf(latencies, latencies.length * 2);
        latencies[(int) rows++] = nowUs - sent;
      } else if (sent < 0) {
        long[] sorted = Arrays.copyOf(latencies, (int) rows);
        Arrays.sort(sorted);
        say(String.format(Locale.ROOT,
            "{\"event\":\"result\",\"rows\":%d,\"latenciesUs\":{\"p50\":%d,\"p90\":%d,\"p99\":%d,\"max\":%d}}",
            rows, at(sorted, 0.5), at(sorted, 0.9), at(sorted, 0.99), at(sorted, 1)));
        return true;
      }
    }
    return false;
  }

  private static long at(long[] sorted, double share) {
    return sorted.length == 0 ? 0 : sorted[Math.min(sorted.length - 1, (int) (sorted.length * share))];
  }

  private static void say(String line) {
    System.out.println(line);
    System.out.flush();
  }
}
