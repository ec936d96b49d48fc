// Records what the classes of a JVM worker write, read and decide, for the tests beside the folder above.
//
// It lives in upstream's package because what it asks is visible there only. To record anew, with the jars of the bundle
// `connect` of tests/services in $JARS:
//
//   javac -cp "$JARS/*" -d "$OUT" RecordGroup.java
//   java -cp "$JARS/*:$OUT" org.apache.kafka.connect.runtime.distributed.RecordGroup ../../recorded
//
// The seed is fixed: the same version of upstream gives the same files.
package org.apache.kafka.connect.runtime.distributed;

import java.io.IOException;
import java.io.PrintWriter;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.common.message.JoinGroupResponseData.JoinGroupResponseMember;
import org.apache.kafka.common.utils.LogContext;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.connect.runtime.distributed.WorkerCoordinator.ConnectorsAndTasks;
import org.apache.kafka.connect.storage.ClusterConfigState;
import org.apache.kafka.connect.util.ConnectorTaskId;

public final class RecordGroup {
    private static final HexFormat HEX = HexFormat.of();

    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[0]);
        write(folder.resolve("messages.jsonl"), new Messages()::record);
        write(folder.resolve("eager.jsonl"), new Eager()::record);
        write(folder.resolve("incremental.jsonl"), new Incremental()::record);
    }

    private interface Recorder {
        void record(PrintWriter out) throws Exception;
    }

    private static void write(Path file, Recorder recorder) throws Exception {
        try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(file, StandardCharsets.UTF_8))) {
            recorder.record(out);
        }
    }

    // ---- JSON, as little as is needed here: names hold no character that would have to be escaped.

    private static String quote(String text) {
        return '"' + text + '"';
    }

    private static String list(Collection<?> items) {
        return items.stream().map(item -> quote(item.toString())).collect(Collectors.joining(",", "[", "]"));
    }

    private static String work(Collection<String> connectors, Collection<ConnectorTaskId> tasks) {
        return "{\"c\":" + list(connectors) + ",\"t\":" + list(tasks) + "}";
    }

    private static String assignment(ExtendedAssignment it) {
        return String.format(
                "{\"error\":%d,\"leader\":%s,\"url\":%s,\"offset\":%d,\"assigned\":%s,\"revoked\":%s,\"delay\":%d}",
                it.error(), quote(it.leader()), quote(it.leaderUrl()), it.offset(),
                work(it.connectors(), it.tasks()), work(it.revokedConnectors(), it.revokedTasks()), it.delay());
    }

    private static String state(ExtendedWorkerState it) {
        String allocation = it.assignment() == ExtendedAssignment.empty() ? "null" : assignment(it.assignment());
        return String.format("{\"url\":%s,\"offset\":%d,\"allocation\":%s}", quote(it.url()), it.offset(), allocation);
    }

    private static byte[] bytes(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return bytes;
    }

    private static <T> List<T> some(Random random, List<T> from, int most) {
        List<T> shuffled = new ArrayList<>(from);
        Collections.shuffle(shuffled, random);
        return shuffled.subList(0, Math.min(shuffled.size(), random.nextInt(most + 1)));
    }

    private static ClusterConfigState config(long offset, Map<String, Integer> tasks) {
        Map<String, Map<String, String>> configs = new HashMap<>();
        tasks.keySet().forEach(name -> configs.put(name, Map.of()));
        return new ClusterConfigState(offset, null, tasks, configs, Map.of(), Map.of(), Map.of(), Map.of(), Map.of(),
                Set.of(), Set.of());
    }

    // ---- Messages: what is written for a state, and what is read from damaged bytes.

    private static final class Messages {
        private final Random random = new Random(11);

        private final List<String> names = List.of(
                "a", "b", "orders-sink", "orders-source", "Aa", "BB", "größe", "connector with blanks", "\uD83D\uDE00",
                "c00", "c01", "c02", "c03", "c04", "c05", "c06", "c07", "c08", "c09", "c10", "c11", "c12");

        void record(PrintWriter out) throws IOException {
            for (int i = 0; i < 25; i++) {
                ExtendedWorkerState state = new ExtendedWorkerState(
                        "http://w" + i + ":8083/", random.nextInt(5) == 0 ? -1 : random.nextLong() >>> random.nextInt(63),
                        random.nextInt(4) == 0 ? null : randomAssignment());
                for (ConnectProtocolCompatibility mode : ConnectProtocolCompatibility.values()) {
                    var offers = mode == ConnectProtocolCompatibility.EAGER
                            ? ConnectProtocol.metadataRequest(state)
                            : IncrementalCooperativeConnectProtocol.metadataRequest(
                                    state, mode == ConnectProtocolCompatibility.SESSIONED);
                    List<String> encoded = new ArrayList<>();
                    offers.forEach(it -> encoded.add(it.name() + ":" + HEX.formatHex(it.metadata())));
                    out.printf("{\"what\":\"offers\",\"mode\":%s,\"state\":%s,\"offers\":%s}%n",
                            quote(mode.name()), state(state), list(encoded));
                }
                ExtendedAssignment assignment = randomAssignment();
                List<String> encoded = List.of(
                        HEX.formatHex(bytes(ConnectProtocol.serializeAssignment(assignment))),
                        HEX.formatHex(bytes(IncrementalCooperativeConnectProtocol.serializeAssignment(assignment, false))),
                        HEX.formatHex(bytes(IncrementalCooperativeConnectProtocol.serializeAssignment(assignment, true))));
                out.printf("{\"what\":\"assignment\",\"assignment\":%s,\"encoded\":%s}%n",
                        assignment(assignment), list(encoded));
            }
            // Every beginning of some messages, then messages with one byte changed or some added.
            for (int i = 0; i < 3; i++) {
                byte[] assignment = small(i);
                byte[] state = bytes(IncrementalCooperativeConnectProtocol.serializeMetadata(
                        new ExtendedWorkerState("u", i, i == 0 ? null : smallAssignment()), true));
                for (int length = 0; length <= assignment.length; length++) {
                    read(out, "read assignment", Arrays.copyOf(assignment, length));
                }
                for (int length = 0; length <= state.length; length++) {
                    read(out, "read state", Arrays.copyOf(state, length));
                }
                for (int change = 0; change < 120; change++) {
                    byte[] damaged = (change % 2 == 0 ? assignment : state).clone();
                    int[] values = {0, 1, 2, 0x7f, 0x80, 0xff};
                    damaged[random.nextInt(damaged.length)] = (byte) values[random.nextInt(values.length)];
                    read(out, change % 2 == 0 ? "read assignment" : "read state", damaged);
                }
                read(out, "read assignment", Arrays.copyOf(assignment, assignment.length + 7));
                read(out, "read state", Arrays.copyOf(state, state.length + 7));
            }
        }

        private byte[] small(int i) {
            ExtendedAssignment assignment = smallAssignment();
            return bytes(i == 0
                    ? ConnectProtocol.serializeAssignment(assignment)
                    : IncrementalCooperativeConnectProtocol.serializeAssignment(assignment, i == 2));
        }

        private ExtendedAssignment smallAssignment() {
            return new ExtendedAssignment((short) 2, (short) 0, "L", "u", 7, List.of("A"),
                    List.of(new ConnectorTaskId("A", 0), new ConnectorTaskId("B", 1)), List.of("C"),
                    List.of(new ConnectorTaskId("C", 2)), 300);
        }

        private ExtendedAssignment randomAssignment() {
            return new ExtendedAssignment((short) 2, (short) (random.nextInt(5) == 0 ? 1 : 0),
                    "connect-w:8083-" + random.nextInt(), "https://leader:8443/", random.nextInt(1000),
                    some(random, names, names.size()), tasks(), some(random, names, 4), tasks(),
                    random.nextInt(3) == 0 ? random.nextInt(300_000) : 0);
        }

        private List<ConnectorTaskId> tasks() {
            List<ConnectorTaskId> tasks = new ArrayList<>();
            for (String name : names) {
                tasks.add(new ConnectorTaskId(name, random.nextInt(3)));
                tasks.add(new ConnectorTaskId(name, 3 + random.nextInt(300)));
            }
            return some(random, tasks, 12);
        }

        private void read(PrintWriter out, String what, byte[] bytes) {
            String result;
            try {
                ByteBuffer buffer = ByteBuffer.wrap(bytes);
                String text = what.equals("read state")
                        ? state(IncrementalCooperativeConnectProtocol.deserializeMetadata(buffer))
                        : assignment(IncrementalCooperativeConnectProtocol.deserializeAssignment(buffer));
                // Texts that cannot stand in JSON as they are show nothing more than the others.
                if (text.chars().anyMatch(c -> c < ' ' || c == '\\' || c > '~')) {
                    return;
                }
                result = text;
            } catch (RuntimeException refused) {
                result = "null";
            }
            out.printf("{\"what\":%s,\"bytes\":%s,\"result\":%s}%n", quote(what), quote(HEX.formatHex(bytes)), result);
        }
    }

    // ---- The eager assignor, from bytes to bytes.

    private static final class Eager {
        private final Random random = new Random(12);

        void record(PrintWriter out) throws Exception {
            for (int i = 0; i < 40; i++) {
                Map<String, Integer> tasks = new TreeMap<>();
                for (int c = random.nextInt(15); c > 0; c--) {
                    tasks.put((random.nextBoolean() ? "conn-" : "Z") + random.nextInt(40), random.nextInt(5));
                }
                long behind = random.nextInt(8) == 0 ? 3 : 0;
                List<JoinGroupResponseMember> members = new ArrayList<>();
                List<String> ids = new ArrayList<>();
                for (int m = 0; m <= random.nextInt(6); m++) {
                    String id = "connect-w" + m + ":8083-" + Integer.toHexString(random.nextInt());
                    ids.add(id);
                    ConnectProtocol.WorkerState state = new ConnectProtocol.WorkerState("http://w" + m + ":8083/", 40 + random.nextInt(3));
                    members.add(new JoinGroupResponseMember().setMemberId(id)
                            .setMetadata(bytes(ConnectProtocol.serializeMetadata(state))));
                }
                long offset = 42 - behind;
                String leader = ids.get(random.nextInt(ids.size()));
                Map<String, ByteBuffer> answer = new EagerAssignor(new LogContext()).performAssignment(
                        leader, ConnectProtocolCompatibility.EAGER, members, coordinator(config(offset, tasks)));
                List<String> metadata = members.stream()
                        .map(it -> it.memberId() + " " + HEX.formatHex(it.metadata())).toList();
                List<String> assignments = ids.stream().map(id -> HEX.formatHex(bytes(answer.get(id)))).toList();
                out.printf("{\"leader\":%s,\"offset\":%d,\"config\":%s,\"members\":%s,\"assignments\":%s}%n",
                        quote(leader), offset, counts(tasks), list(metadata), list(assignments));
            }
        }

        /** A coordinator that answers for the config topic and does nothing else. */
        private WorkerCoordinator coordinator(ClusterConfigState config) throws Exception {
            Field unsafe = sun.misc.Unsafe.class.getDeclaredField("theUnsafe");
            unsafe.setAccessible(true);
            WorkerCoordinator coordinator = (WorkerCoordinator)
                    ((sun.misc.Unsafe) unsafe.get(null)).allocateInstance(WorkerCoordinator.class);
            coordinator.configSnapshot(config);
            Field storage = WorkerCoordinator.class.getDeclaredField("configStorage");
            storage.setAccessible(true);
            storage.set(coordinator, java.lang.reflect.Proxy.newProxyInstance(
                    getClass().getClassLoader(),
                    new Class<?>[] {org.apache.kafka.connect.storage.ConfigBackingStore.class},
                    (proxy, method, arguments) -> config));
            return coordinator;
        }
    }

    private static String counts(Map<String, Integer> tasks) {
        return tasks.entrySet().stream().map(it -> quote(it.getKey()) + ":" + it.getValue())
                .collect(Collectors.joining(",", "{", "}"));
    }

    // ---- The incremental assignor: a group that lives, with everything that can happen to one.

    private static final class Incremental {
        private long now;
        private Random random;
        private int names;
        private int ids;

        private final Time time = new Time() {
            @Override
            public long milliseconds() {
                return now;
            }

            @Override
            public long nanoseconds() {
                return now * 1_000_000;
            }

            @Override
            public void sleep(long ms) {
                now += ms;
            }

            @Override
            public void waitObject(Object object, java.util.function.Supplier<Boolean> condition, long deadline) {
                throw new UnsupportedOperationException();
            }
        };

        void record(PrintWriter out) {
            int[] delays = {300_000, 300_000, 60_000, 1_000, 0, 1};
            for (int run = 0; run < 28; run++) {
                run(out, run, delays[run % delays.length]);
            }
        }

        private void run(PrintWriter out, int run, int maxDelay) {
            random = new Random(1000 + run);
            now = 1_000;
            names = 0;
            ids = 0;
            IncrementalCooperativeAssignor assignor =
                    new IncrementalCooperativeAssignor(new LogContext(), time, maxDelay);
            Map<String, Integer> tasks = new TreeMap<>();
            Map<String, ConnectorsAndTasks> running = new LinkedHashMap<>();
            List<Map.Entry<String, ConnectorsAndTasks>> gone = new ArrayList<>();
            // Every fourth group is so large that the hash maps of its leader grow.
            boolean large = run % 4 == 3;
            for (int c = (large ? 8 : 1) + random.nextInt(5); c > 0; c--) {
                create(tasks);
            }
            for (int w = (large ? 11 : 1) + random.nextInt(3); w > 0; w--) {
                running.put(id(), nothing());
            }
            int lastCompleted = -1;
            int generation = 0;
            for (int round = 0; round < 20; round++) {
                generation += random.nextInt(10) == 0 ? 2 : 1;
                if (round > 0) {
                    happen(tasks, running, gone, maxDelay);
                }
                List<String> order = new ArrayList<>(running.keySet());
                Collections.shuffle(order, random);
                Map<String, ConnectorsAndTasks> members = new HashMap<>();
                StringBuilder reported = new StringBuilder();
                for (String member : order) {
                    ConnectorsAndTasks has = running.get(member);
                    members.put(member, new ConnectorsAndTasks.Builder().with(has.connectors(), has.tasks()).build());
                    reported.append(reported.isEmpty() ? "" : ",").append("[").append(quote(member)).append(",")
                            .append(work(has.connectors(), has.tasks())).append("]");
                }
                IncrementalCooperativeAssignor.ClusterAssignment result = assignor.performTaskAssignment(
                        config(1, new HashMap<>(tasks)), lastCompleted, generation, members);
                StringBuilder shares = new StringBuilder();
                for (String member : order) {
                    shares.append(shares.isEmpty() ? "" : ",").append("[")
                            .append(share(result.newlyAssignedConnectors(member), result.newlyAssignedTasks(member)))
                            .append(",")
                            .append(share(result.newlyRevokedConnectors(member), result.newlyRevokedTasks(member)))
                            .append("]");
                }
                out.printf("{\"run\":%d,\"max\":%d,\"now\":%d,\"last\":%d,\"generation\":%d,\"config\":%s,"
                                + "\"members\":[%s],\"delay\":%d,\"shares\":[%s]}%n",
                        run, maxDelay, now, lastCompleted, generation, counts(tasks), reported, assignor.delay, shares);
                // Now and then a round does not reach the leader, or a member.
                if (random.nextInt(12) > 0) {
                    lastCompleted = generation;
                }
                for (String member : order) {
                    if (random.nextInt(15) == 0) {
                        continue;
                    }
                    ConnectorsAndTasks has = running.get(member);
                    has.connectors().removeAll(result.newlyRevokedConnectors(member));
                    has.tasks().removeAll(result.newlyRevokedTasks(member));
                    has.connectors().addAll(result.newlyAssignedConnectors(member));
                    has.tasks().addAll(result.newlyAssignedTasks(member));
                }
            }
        }

        private static String share(Collection<String> connectors, Collection<ConnectorTaskId> tasks) {
            return work(connectors.stream().sorted().toList(), tasks.stream().sorted().toList());
        }

        private void happen(Map<String, Integer> tasks, Map<String, ConnectorsAndTasks> running,
                            List<Map.Entry<String, ConnectorsAndTasks>> gone, int maxDelay) {
            long[] waits = {0, 1, 40, 41, 1_600, maxDelay / 3, maxDelay, maxDelay + 1L};
            now += waits[random.nextInt(waits.length)];
            for (int events = random.nextInt(3); events > 0; events--) {
                List<String> members = new ArrayList<>(running.keySet());
                String member = members.get(random.nextInt(members.size()));
                List<String> known = new ArrayList<>(tasks.keySet());
                switch (random.nextInt(10)) {
                    case 0, 1 -> {
                        if (running.size() < 20) {
                            running.put(id(), nothing());
                        }
                    }
                    case 2, 3 -> {
                        if (running.size() > 1) {
                            gone.add(Map.entry(member, running.remove(member)));
                        }
                    }
                    case 4 -> {
                        // One comes back, with what it had or without anything.
                        if (!gone.isEmpty()) {
                            var back = gone.remove(random.nextInt(gone.size()));
                            running.put(back.getKey(), random.nextBoolean() ? back.getValue() : nothing());
                        }
                    }
                    case 5 -> {
                        if (tasks.size() < 12) {
                            create(tasks);
                        }
                    }
                    case 6 -> {
                        if (!known.isEmpty()) {
                            tasks.remove(known.get(random.nextInt(known.size())));
                        }
                    }
                    case 7 -> {
                        if (!known.isEmpty()) {
                            tasks.put(known.get(random.nextInt(known.size())), random.nextInt(6));
                        }
                    }
                    case 8 -> {
                        // Runs twice: another member says that it has it too.
                        ConnectorsAndTasks from = running.get(members.get(random.nextInt(members.size())));
                        running.get(member).tasks().addAll(some(random, new ArrayList<>(from.tasks()), 2));
                        running.get(member).connectors().addAll(some(random, new ArrayList<>(from.connectors()), 1));
                    }
                    default -> { }
                }
            }
        }

        private void create(Map<String, Integer> tasks) {
            tasks.put((random.nextBoolean() ? "c" : "Source-") + names++, random.nextInt(7));
        }

        private String id() {
            return "w" + ids++ + "-" + Integer.toHexString(random.nextInt(0x10000));
        }

        private static ConnectorsAndTasks nothing() {
            return new ConnectorsAndTasks.Builder().with(new LinkedHashSet<>(), new LinkedHashSet<>()).build();
        }
    }
}
