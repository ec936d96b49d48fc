import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.json.JsonConverter;

/**
 * Prints what the converter of the internal topics makes of odd texts, one JSON line each: the bytes (Base64), and what
 * it writes for the value that it read (Base64), or null when it refuses. Texts are the ones below and damaged copies of
 * them.
 *
 * java -cp "CONNECT_JARS/*" JsonVerdicts.java > tests/recorded/topics/json-verdicts.jsonl
 */
public class JsonVerdicts {
    private static final String[] TEXTS = {
        "", " ", "\n\t\r ", "null", "true", "false", "nul", "nulll", "null1", "null x", "true,", "true]", "True", "falsey", "true_", "false$",
        "0", "007", "-0", "-007", "00", "0x1", "+1", "1.", ".5", "1.5", "1.50", "01.5", "00.5", "1e5", "1E+5", "1e-5", "1e", "1e+", "1e400",
        "-1e400", "1e-400", "1 2", "1,2", "1]", "1}", "1x", "1\"", "1.5x", "1.5,", "1.5]", "-", "--1", "- 1",
        "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551617",
        "123456789012345678901234567890", "NaN", "Infinity", "-Infinity", "INF",
        "\"\"", "\"a\"", "\"a\"b", "\"a\" \"b\"", "\"a", "\"a\\", "\"\\n\\r\\t\\b\\f\\/\\\\\\\"\"", "\"\\x\"", "\"\\'\"", "\"\\u0041\"",
        "\"\\u00e4\"", "\"\\uD83D\\uDE00\"", "\"\\u12\"", "\"\\u12G4\"", "\"\\U0041\"", "\"\\u\"", "\"a\nb\"", "\"a\tb\"", "\"\u0001\"",
        "\"\u007f\"", "\"äß漢字\"", "\"\uD83D\uDE00\"", "'a'", "\"\u2028\"",
        "[]", "[ ]", "[1]", "[1,2]", "[1 2]", "[1,]", "[,1]", "[,]", "[1", "[1,", "[1}", "[[]]", "[[],[]]", "[1]]", "[1] x", "[null,true,1.0,\"x\",{}]",
        "{}", "{ }", "{\"a\":1}", "{\"a\" : 1 , \"b\" : 2}", "{\"a\":1,}", "{,\"a\":1}", "{\"a\"}", "{\"a\":}", "{\"a\" 1}", "{a:1}", "{'a':1}",
        "{1:1}", "{null:1}", "{\"a\":1 \"b\":2}", "{\"a\":1,\"a\":2}", "{\"a\":1}}", "{\"a\":1} x", "{\"a\":1", "{\"a\":[{\"b\":{}}]}",
        "{\"\":0}", "{\"a\\u0000b\":\"\\u0000\"}", "// c\n1", "/* c */1", "# c\n1", "1 // c", "{\"a\":1/**/}", "\uFEFF1", "\uFEFF{\"a\":1}", " \uFEFF1",
        "1\uFEFF", "\u00a01", "\f1", "\u000b1", "]", "}", ",", ":", "\\", "{", "[", "{]", "[}",
        "{\"properties\":{\"k\":\"v\",\"n\":null}}", "{\"tasks\":2}", "{\"state\":\"PAUSED\",\"state.v2\":\"STOPPED\"}",
        "{\"key\":\"AQI=\",\"algorithm\":\"HmacSHA256\",\"creation-timestamp\":1795276003708}", "{\"include-tasks\":true,\"only-failed\":false}",
    };

    public static void main(String[] args) {
        JsonConverter converter = new JsonConverter();
        converter.configure(Map.of("schemas.enable", "false"), false);
        List<byte[]> inputs = new ArrayList<>();
        for (String text : TEXTS) {
            inputs.add(text.getBytes(StandardCharsets.UTF_8));
        }
        for (int depth : new int[] {999, 1000, 1001}) {
            inputs.add(("[".repeat(depth) + "]".repeat(depth)).getBytes(StandardCharsets.UTF_8));
        }
        for (int length : new int[] {999, 1000, 1001}) {
            inputs.add("1".repeat(length).getBytes(StandardCharsets.UTF_8));
            inputs.add(("-" + "1".repeat(length)).getBytes(StandardCharsets.UTF_8));
            inputs.add(("1." + "1".repeat(length)).getBytes(StandardCharsets.UTF_8));
        }
        inputs.add(new byte[] {'"', (byte) 0xff, '"'});
        inputs.add(new byte[] {'"', (byte) 0xc3, '"'});
        inputs.add(new byte[] {'"', (byte) 0xc0, (byte) 0x80, '"'});
        inputs.add(new byte[] {'"', (byte) 0xed, (byte) 0xa0, (byte) 0x80, '"'});
        Random random = new Random(1);
        byte[] interesting = "{}[]\",:\\-0919ntfu.eE \u00ff\u0000".getBytes(StandardCharsets.ISO_8859_1);
        int whole = inputs.size();
        for (int i = 0; i < 700; i++) {
            byte[] text = inputs.get(random.nextInt(whole));
            if (text.length > 200) {
                continue;
            }
            StringBuilder damaged = new StringBuilder(new String(text, StandardCharsets.ISO_8859_1));
            for (int n = random.nextInt(3) + 1; n > 0; n--) {
                int at = damaged.length() == 0 ? 0 : random.nextInt(damaged.length());
                char other = (char) (interesting[random.nextInt(interesting.length)] & 0xff);
                switch (random.nextInt(4)) {
                    case 0 -> damaged.setLength(at);
                    case 1 -> damaged.insert(at, other);
                    case 2 -> damaged.replace(at, Math.min(at + 1, damaged.length()), String.valueOf(other));
                    default -> damaged.delete(at, Math.min(at + 1, damaged.length()));
                }
            }
            inputs.add(damaged.toString().getBytes(StandardCharsets.ISO_8859_1));
        }
        for (byte[] input : inputs) {
            String written;
            try {
                SchemaAndValue read = converter.toConnectData("topic", input);
                byte[] again = converter.fromConnectData("topic", null, read.value());
                written = "\"" + base64(again == null ? new byte[] {'n', 'u', 'l', 'l'} : again) + "\"";
            } catch (Exception e) {
                written = "null";
            }
            System.out.println("{\"bytes\":\"" + base64(input) + "\",\"written\":" + written + "}");
        }
    }

    private static String base64(byte[] bytes) {
        return Base64.getEncoder().encodeToString(bytes);
    }
}
