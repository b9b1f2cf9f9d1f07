//! Secrets that stand behind their name in a list: command lines, commands to fail2ban.

use super::{NOTHING, Parser, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::Argument,
    name: "argument",
    summary: "What follows an option that names a secret in a list of arguments, and the last \
              item of a list behind such a name; the passwords that curl, sshpass, mysql, \
              redis-cli and docker login take; the password of an entry of `.netrc`.",
    marks: &[
        ("curl ", Parser::Command),
        ("curl'", Parser::Command),
        ("curl\"", Parser::Command),
        ("mysql", Parser::Command),
        ("redis-cli", Parser::Command),
        ("docker login ", Parser::Command),
    ],
    redacted: &[
        (
            "['set', 'sshd', 'action', 'smtp', 'password', 'x y']",
            "['set', 'sshd', 'action', 'smtp', 'password', '***']",
        ),
        (
            r#"cmd ["set","sshd","action","smtp","password","x"] failed"#,
            r#"cmd ["set","sshd","action","smtp","password","***"] failed"#,
        ),
        (
            r#"["set","sshd","action","smtp","password","x"]"#,
            r#"["set","sshd","action","smtp","password","***"]"#,
        ),
        (
            "['set', 'sshd', 'action', 'smtp', 'password', \"it's\"]",
            "['set', 'sshd', 'action', 'smtp', 'password', \"***\"]",
        ),
        ("(b'password', b'x')", "(b'password', b'***')"),
        (r#"["smtp","password",12345]"#, r#"["smtp","password","***"]"#),
        ("['password','x']", "['password','***']"),
        (r#"["--password","x","-h","db"]"#, r#"["--password","***","-h","db"]"#),
        ("('--api-key', 'x', '-v')", "('--api-key', '***', '-v')"),
        (
            "fail2ban-client set sshd action smtp password x1",
            "fail2ban-client set sshd action smtp password ***",
        ),
        ("curl -s -u bob:x1 https://x", "curl -s -u bob:*** https://x"),
        ("curl --proxy-user 'bob:x y' -ubob:x1 x", "curl --proxy-user 'bob:***' -ubob:*** x"),
        (
            "curl -u a:1 -u b:2 -u c:3 -u d:4 -u e:5",
            "curl -u a:*** -u b:*** -u c:*** -u d:*** -u e:***",
        ),
        ("['curl', '-u', 'bob:x1', 'x']", "['curl', '-u', 'bob:***', 'x']"),
        ("sh -c \"curl -u bob:x1\" failed", "sh -c \"curl -u bob:***\" failed"),
        ("sshpass -p x1 ssh root@h", "sshpass -p *** ssh root@h"),
        (r#"["sshpass","-p","x y","ssh"]"#, r#"["sshpass","-p","***","ssh"]"#),
        ("COMMAND=/usr/bin/mysql -u root -px1 db", "COMMAND=/usr/bin/mysql -u root -p*** db"),
        (r#"["curl","-u","bob:x y","h"]"#, r#"["curl","-u","bob:***","h"]"#),
        (r#"["/bin/curl","-ubob:x"]"#, r#"["/bin/curl","-ubob:***"]"#),
        (r#"["mysqldump","-px y","db"]"#, r#"["mysqldump","-p***","db"]"#),
        ("['mysql', '-px y', 'db']", "['mysql', '-p***', 'db']"),
        (r#"["redis-cli","-a","x","ping"]"#, r#"["redis-cli","-a","***","ping"]"#),
        ("['redis-cli', '-a', 'x']", "['redis-cli', '-a', '***']"),
        ("redis-cli -h db -a x1 ping", "redis-cli -h db -a *** ping"),
        ("docker login -u bob -p x1 registry", "docker login -u bob -p *** registry"),
        ("machine h login bob password x1", "machine h login bob password ***"),
        ("machine h\n  login bob\n  password x1\n", "machine h\n  login bob\n  password ***\n"),
    ],
    kept: &[
        "['set', 'sshd', 'banip', '192.0.2.1']",
        r#"["--password","--user","bob"]"#,
        "['username', 'password', 'email', 'name']",
        r#"["username","password"]"#,
        r#"["username","password","email"]"#,
        "get sshd action smtp password",
        "curl -u bob https://x:443",
        "curl: (7) Failed to connect to x port 80",
        "curl x | docker run -u 1000:1000 y",
        "sshpass -e ssh x",
        "mysql -u root -p db",
        r#"["curl","-u","bob","https://x:443"]"#,
        r#"["mysql","-p","db"]"#,
        r#"["sshpass","-p","***","ssh","-p","22"]"#,
        "mysqld: ready for connections -px",
        "redis-cli -h db ping",
        "docker login with password failed",
        "login with password failed",
    ],
    ..NOTHING
};
