/* The names that the headers of C, and the parts of POSIX that C++'s headers bring along, declare at
 * global scope: functions, types, objects, enumerators and macros, as glibc has them with its
 * extensions on (C++ always turns them on). Names that begin with an underscore are left out. A name
 * stands at the first header that declares it. */
#ifndef CHAINSI_COMPILER_NAMES_TABLE_H
#define CHAINSI_COMPILER_NAMES_TABLE_H

typedef struct chainsi_header_names {
    const char *header;
    const char *names; /* each with a space before and behind it */
} chainsi_header_names;

/* clang-format off */
static const chainsi_header_names chainsi_names_table[] = {
    { "<assert.h>",
      " assert assert_perror static_assert"
      " " },
    { "<ctype.h>",
      " isalnum isalnum_l isalpha isalpha_l isascii isascii_l isblank isblank_l iscntrl"
      " iscntrl_l isctype isdigit isdigit_l isgraph isgraph_l islower islower_l isprint"
      " isprint_l ispunct ispunct_l isspace isspace_l isupper isupper_l isxdigit isxdigit_l"
      " locale_t toascii toascii_l tolower tolower_l toupper toupper_l"
      " " },
    { "<stddef.h>",
      " max_align_t offsetof ptrdiff_t size_t wchar_t"
      " " },
    { "<strings.h>",
      " bcmp bcopy bzero ffs ffsl ffsll index rindex strcasecmp strcasecmp_l strncasecmp"
      " strncasecmp_l"
      " " },
    { "<string.h>",
      " basename explicit_bzero memccpy memchr memcmp memcpy memfrob memmem memmove mempcpy"
      " memrchr memset rawmemchr sigabbrev_np sigdescr_np stpcpy stpncpy strcasestr strcat"
      " strchr strchrnul strcmp strcoll strcoll_l strcpy strcspn strdup strdupa strerror"
      " strerror_l strerror_r strerrordesc_np strerrorname_np strfry strlen strncat strncmp"
      " strncpy strndup strndupa strnlen strpbrk strrchr strsep strsignal strspn strstr strtok"
      " strtok_r strverscmp strxfrm strxfrm_l"
      " " },
    { "<stdlib.h>",
      " BIG_ENDIAN BYTE_ORDER FD_CLR FD_ISSET FD_SET FD_SETSIZE FD_ZERO LITTLE_ENDIAN NFDBITS"
      " PDP_ENDIAN a64l abort abs aligned_alloc alloca arc4random arc4random_buf"
      " arc4random_uniform at_quick_exit atexit atof atoi atol atoll be16toh be32toh be64toh"
      " blkcnt64_t blkcnt_t blksize_t bsearch caddr_t calloc canonicalize_file_name clearenv"
      " clock_t clockid_t comparison_fn_t daddr_t dev_t div div_t drand48 drand48_r ecvt"
      " ecvt_r erand48 erand48_r exit fcvt fcvt_r fd_mask fd_set free fsblkcnt64_t fsblkcnt_t"
      " fsfilcnt64_t fsfilcnt_t fsid_t gcvt getenv getloadavg getpt getsubopt gid_t grantpt"
      " htobe16 htobe32 htobe64 htole16 htole32 htole64 id_t initstate initstate_r ino64_t"
      " ino_t jrand48 jrand48_r key_t l64a labs lcong48 lcong48_r ldiv ldiv_t le16toh le32toh"
      " le64toh llabs lldiv lldiv_t loff_t lrand48 lrand48_r malloc mblen mbstowcs mbtowc"
      " mkdtemp mkostemp mkostemp64 mkostemps mkostemps64 mkstemp mkstemp64 mkstemps"
      " mkstemps64 mktemp mode_t mrand48 mrand48_r nlink_t nrand48 nrand48_r off64_t off_t"
      " on_exit pid_t posix_memalign posix_openpt pselect pthread_attr_t pthread_barrier_t"
      " pthread_barrierattr_t pthread_cond_t pthread_condattr_t pthread_key_t pthread_mutex_t"
      " pthread_mutexattr_t pthread_once_t pthread_rwlock_t pthread_rwlockattr_t"
      " pthread_spinlock_t pthread_t ptsname ptsname_r putenv qecvt qecvt_r qfcvt qfcvt_r"
      " qgcvt qsort qsort_r quad_t quick_exit rand rand_r random random_r realloc reallocarray"
      " realpath register_t rpmatch secure_getenv seed48 seed48_r select setenv setstate"
      " setstate_r sigset_t srand srand48 srand48_r srandom srandom_r ssize_t strfromd"
      " strfromf strfroml strtod strtod_l strtof strtof32_l strtof32x_l strtof64_l strtof64x_l"
      " strtof_l strtol strtol_l strtold strtold_l strtoll strtoll_l strtoq strtoul strtoul_l"
      " strtoull strtoull_l strtouq suseconds_t system time_t timer_t u_char u_int u_int16_t"
      " u_int32_t u_int64_t u_int8_t u_long u_quad_t u_short uid_t uint ulong unlockpt"
      " unsetenv useconds_t ushort valloc wcstombs wctomb"
      " " },
    { "<stdio.h>",
      " EOF FILE FILENAME_MAX FOPEN_MAX asprintf clearerr clearerr_unlocked"
      " cookie_close_function_t cookie_io_functions_t cookie_read_function_t"
      " cookie_seek_function_t cookie_write_function_t ctermid cuserid dprintf fclose"
      " fcloseall fdopen feof feof_unlocked ferror ferror_unlocked fflush fflush_unlocked"
      " fgetc fgetc_unlocked fgetpos fgetpos64 fgets fgets_unlocked fileno fileno_unlocked"
      " flockfile fmemopen fopen fopen64 fopencookie fpos64_t fpos_t fprintf fputc"
      " fputc_unlocked fputs fputs_unlocked fread fread_unlocked freopen freopen64 fscanf"
      " fseek fseeko fseeko64 fsetpos fsetpos64 ftell ftello ftello64 ftrylockfile funlockfile"
      " fwrite fwrite_unlocked getc getc_unlocked getchar getchar_unlocked getdelim getline"
      " getw obstack_printf obstack_vprintf open_memstream pclose perror popen printf putc"
      " putc_unlocked putchar putchar_unlocked puts putw remove rename renameat renameat2"
      " rewind scanf setbuf setbuffer setlinebuf setvbuf snprintf sprintf sscanf stderr stdin"
      " stdout tempnam tmpfile tmpfile64 tmpnam tmpnam_r ungetc va_arg va_copy va_end va_list"
      " va_start vasprintf vdprintf vfprintf vfscanf vprintf vscanf vsnprintf vsprintf vsscanf"
      " " },
    { "<math.h>",
      " INFINITY MAXFLOAT NAN acos acosf acosh acoshf acoshl acosl asin asinf asinh asinhf"
      " asinhl asinl atan atan2 atan2f atan2l atanf atanh atanhf atanhl atanl canonicalize"
      " canonicalizef canonicalizel cbrt cbrtf cbrtl ceil ceilf ceill copysign copysignf"
      " copysignl cos cosf cosh coshf coshl cosl daddl ddivl dfmal dmull double_t drem dremf"
      " dreml dsqrtl dsubl erf erfc erfcf erfcl erff erfl exp exp10 exp10f exp10l exp2 exp2f"
      " exp2l expf expl expm1 expm1f expm1l fabs fabsf fabsl fadd faddl fdim fdimf fdiml fdiv"
      " fdivl ffma ffmal finite finitef finitel float_t floor floorf floorl fma fmaf fmal fmax"
      " fmaxf fmaximum fmaximum_mag fmaximum_mag_num fmaximum_mag_numf fmaximum_mag_numl"
      " fmaximum_magf fmaximum_magl fmaximum_num fmaximum_numf fmaximum_numl fmaximumf"
      " fmaximuml fmaxl fmaxmag fmaxmagf fmaxmagl fmin fminf fminimum fminimum_mag"
      " fminimum_mag_num fminimum_mag_numf fminimum_mag_numl fminimum_magf fminimum_magl"
      " fminimum_num fminimum_numf fminimum_numl fminimumf fminimuml fminl fminmag fminmagf"
      " fminmagl fmod fmodf fmodl fmul fmull fpclassify frexp frexpf frexpl fromfp fromfpf"
      " fromfpl fromfpx fromfpxf fromfpxl fsqrt fsqrtl fsub fsubl gamma gammaf gammal"
      " getpayload getpayloadf getpayloadl hypot hypotf hypotl ilogb ilogbf ilogbl iscanonical"
      " iseqsig isfinite isgreater isgreaterequal isinf isinff isinfl isless islessequal"
      " islessgreater isnan isnanf isnanl isnormal issignaling issubnormal isunordered iszero"
      " j0 j0f j0l j1 j1f j1l jn jnf jnl ldexp ldexpf ldexpl lgamma lgamma_r lgammaf"
      " lgammaf32_r lgammaf32x_r lgammaf64_r lgammaf64x_r lgammaf_r lgammal lgammal_r llogb"
      " llogbf llogbl llrint llrintf llrintl llround llroundf llroundl log log10 log10f log10l"
      " log1p log1pf log1pl log2 log2f log2l logb logbf logbl logf logl lrint lrintf lrintl"
      " lround lroundf lroundl math_errhandling modf modff modfl nan nanf nanl nearbyint"
      " nearbyintf nearbyintl nextafter nextafterf nextafterl nextdown nextdownf nextdownl"
      " nexttoward nexttowardf nexttowardl nextup nextupf nextupl pow powf powl remainder"
      " remainderf remainderl remquo remquof remquol rint rintf rintl round roundeven"
      " roundevenf roundevenl roundf roundl scalb scalbf scalbl scalbln scalblnf scalblnl"
      " scalbn scalbnf scalbnl setpayload setpayloadf setpayloadl setpayloadsig setpayloadsigf"
      " setpayloadsigl signbit signgam significand significandf significandl sin sincos"
      " sincosf sincosl sinf sinh sinhf sinhl sinl sqrt sqrtf sqrtl tan tanf tanh tanhf tanhl"
      " tanl tgamma tgammaf tgammal totalorder totalorderf totalorderl totalordermag"
      " totalordermagf totalordermagl trunc truncf truncl ufromfp ufromfpf ufromfpl ufromfpx"
      " ufromfpxf ufromfpxl y0 y0f y0l y1 y1f y1l yn ynf ynl"
      " " },
    { "<complex.h>",
      " CMPLXF32 CMPLXF32X CMPLXF64 CMPLXF64X I cabs cabsf cabsl cacos cacosf cacosh cacoshf"
      " cacoshl cacosl carg cargf cargl casin casinf casinh casinhf casinhl casinl catan"
      " catanf catanh catanhf catanhl catanl ccos ccosf ccosh ccoshf ccoshl ccosl cexp cexpf"
      " cexpl cimag cimagf cimagl clog clog10 clog10f clog10l clogf clogl complex conj conjf"
      " conjl cpow cpowf cpowl cproj cprojf cprojl creal crealf creall csin csinf csinh csinhf"
      " csinhl csinl csqrt csqrtf csqrtl ctan ctanf ctanh ctanhf ctanhl ctanl"
      " " },
    { "<time.h>",
      " CLOCKS_PER_SEC asctime asctime_r clock clock_adjtime clock_getcpuclockid clock_getres"
      " clock_gettime clock_nanosleep clock_settime ctime ctime_r daylight difftime dysize"
      " getdate getdate_err getdate_r gmtime gmtime_r localtime localtime_r mktime nanosleep"
      " strftime strftime_l strptime strptime_l time timegm timelocal timer_create"
      " timer_delete timer_getoverrun timer_gettime timer_settime timespec_get timespec_getres"
      " timezone tzname tzset"
      " " },
    { "<unistd.h>",
      " access acct alarm brk chdir chown chroot close close_range closefrom confstr"
      " copy_file_range crypt daemon dup dup2 dup3 eaccess endusershell environ euidaccess"
      " execl execle execlp execv execve execveat execvp execvpe faccessat fchdir fchown"
      " fchownat fdatasync fexecve fork fpathconf fsync ftruncate ftruncate64"
      " get_current_dir_name getcwd getdomainname getdtablesize getegid getentropy geteuid"
      " getgid getgroups gethostid gethostname getlogin getlogin_r getopt getpagesize getpass"
      " getpgid getpgrp getpid getppid getresgid getresuid getsid gettid getuid getusershell"
      " getwd group_member isatty lchown link linkat lockf lseek lseek64 nice optarg opterr"
      " optind optopt pathconf pause pipe pipe2 pread pread64 profil pwrite pwrite64 read"
      " readlink readlinkat revoke rmdir sbrk setdomainname setegid seteuid setgid sethostid"
      " sethostname setlogin setpgid setpgrp setregid setresgid setresuid setreuid setsid"
      " setuid setusershell sleep socklen_t swab symlink symlinkat sync syncfs syscall sysconf"
      " tcgetpgrp tcsetpgrp truncate truncate64 ttyname ttyname_r ttyslot ualarm unlink"
      " unlinkat usleep vfork vhangup write"
      " " },
    { "<signal.h>",
      " fpregset_t greg_t gregset_t gsignal kill killpg mcontext_t psiginfo psignal"
      " pthread_kill pthread_sigmask pthread_sigqueue raise sa_handler sa_sigaction si_addr"
      " si_addr_lsb si_arch si_band si_call_addr si_fd si_int si_lower si_overrun si_pid"
      " si_pkey si_ptr si_status si_stime si_syscall si_timerid si_uid si_upper si_utime"
      " si_value sig_atomic_t sig_t sigaction sigaddset sigaltstack sigandset sigblock"
      " sigdelset sigemptyset sigev_notify_attributes sigev_notify_function sigevent_t"
      " sigfillset siggetmask sighandler_t sighold sigignore siginfo_t siginterrupt"
      " sigisemptyset sigismember sigmask signal sigorset sigpause sigpending sigprocmask"
      " sigqueue sigrelse sigreturn sigset sigsetmask sigstack sigsuspend sigtimedwait"
      " sigval_t sigwait sigwaitinfo ssignal stack_t sysv_signal tgkill ucontext_t"
      " " },
    { "<setjmp.h>",
      " jmp_buf longjmp setjmp sigjmp_buf siglongjmp sigsetjmp"
      " " },
    { "<locale.h>",
      " duplocale freelocale localeconv newlocale setlocale uselocale"
      " " },
    { "<wchar.h>",
      " btowc fgetwc fgetwc_unlocked fgetws fgetws_unlocked fputwc fputwc_unlocked fputws"
      " fputws_unlocked fwide fwprintf fwscanf getwc getwc_unlocked getwchar getwchar_unlocked"
      " mbrlen mbrtowc mbsinit mbsnrtowcs mbsrtowcs mbstate_t open_wmemstream putwc"
      " putwc_unlocked putwchar putwchar_unlocked swprintf swscanf ungetwc vfwprintf vfwscanf"
      " vswprintf vswscanf vwprintf vwscanf wcpcpy wcpncpy wcrtomb wcscasecmp wcscasecmp_l"
      " wcscat wcschr wcschrnul wcscmp wcscoll wcscoll_l wcscpy wcscspn wcsdup wcsftime"
      " wcsftime_l wcslen wcsncasecmp wcsncasecmp_l wcsncat wcsncmp wcsncpy wcsnlen wcsnrtombs"
      " wcspbrk wcsrchr wcsrtombs wcsspn wcsstr wcstod wcstod_l wcstof wcstof32_l wcstof32x_l"
      " wcstof64_l wcstof64x_l wcstof_l wcstok wcstol wcstol_l wcstold wcstold_l wcstoll"
      " wcstoll_l wcstoq wcstoul wcstoul_l wcstoull wcstoull_l wcstouq wcswcs wcswidth wcsxfrm"
      " wcsxfrm_l wctob wcwidth wint_t wmemchr wmemcmp wmemcpy wmemmove wmempcpy wmemset"
      " wprintf wscanf"
      " " },
    { "<wctype.h>",
      " iswalnum iswalnum_l iswalpha iswalpha_l iswblank iswblank_l iswcntrl iswcntrl_l"
      " iswctype iswctype_l iswdigit iswdigit_l iswgraph iswgraph_l iswlower iswlower_l"
      " iswprint iswprint_l iswpunct iswpunct_l iswspace iswspace_l iswupper iswupper_l"
      " iswxdigit iswxdigit_l towctrans towctrans_l towlower towlower_l towupper towupper_l"
      " wctrans wctrans_l wctrans_t wctype wctype_l wctype_t"
      " " },
    { "<uchar.h>",
      " c16rtomb c32rtomb c8rtomb char16_t char32_t char8_t mbrtoc16 mbrtoc32 mbrtoc8"
      " " },
    { "<inttypes.h>",
      " imaxabs imaxdiv imaxdiv_t strtoimax strtoumax wcstoimax wcstoumax"
      " " },
    { "<fenv.h>",
      " feclearexcept fedisableexcept feenableexcept fegetenv fegetexcept fegetexceptflag"
      " fegetmode fegetround feholdexcept femode_t fenv_t feraiseexcept fesetenv fesetexcept"
      " fesetexceptflag fesetmode fesetround fetestexcept fetestexceptflag feupdateenv"
      " fexcept_t"
      " " },
    { "<errno.h>",
      " E2BIG EACCES EADDRINUSE EADDRNOTAVAIL EADV EAFNOSUPPORT EAGAIN EALREADY EBADE EBADF"
      " EBADFD EBADMSG EBADR EBADRQC EBADSLT EBFONT EBUSY ECANCELED ECHILD ECHRNG ECOMM"
      " ECONNABORTED ECONNREFUSED ECONNRESET EDEADLK EDEADLOCK EDESTADDRREQ EDOM EDOTDOT"
      " EDQUOT EEXIST EFAULT EFBIG EHOSTDOWN EHOSTUNREACH EHWPOISON EIDRM EILSEQ EINPROGRESS"
      " EINTR EINVAL EIO EISCONN EISDIR EISNAM EKEYEXPIRED EKEYREJECTED EKEYREVOKED EL2HLT"
      " EL2NSYNC EL3HLT EL3RST ELIBACC ELIBBAD ELIBEXEC ELIBMAX ELIBSCN ELNRNG ELOOP"
      " EMEDIUMTYPE EMFILE EMLINK EMSGSIZE EMULTIHOP ENAMETOOLONG ENAVAIL ENETDOWN ENETRESET"
      " ENETUNREACH ENFILE ENOANO ENOBUFS ENOCSI ENODATA ENODEV ENOENT ENOEXEC ENOKEY ENOLCK"
      " ENOLINK ENOMEDIUM ENOMEM ENOMSG ENONET ENOPKG ENOPROTOOPT ENOSPC ENOSR ENOSTR ENOSYS"
      " ENOTBLK ENOTCONN ENOTDIR ENOTEMPTY ENOTNAM ENOTRECOVERABLE ENOTSOCK ENOTSUP ENOTTY"
      " ENOTUNIQ ENXIO EOPNOTSUPP EOVERFLOW EOWNERDEAD EPERM EPFNOSUPPORT EPIPE EPROTO"
      " EPROTONOSUPPORT EPROTOTYPE ERANGE EREMCHG EREMOTE EREMOTEIO ERESTART ERFKILL EROFS"
      " ESHUTDOWN ESOCKTNOSUPPORT ESPIPE ESRCH ESRMNT ESTALE ESTRPIPE ETIME ETIMEDOUT"
      " ETOOMANYREFS ETXTBSY EUCLEAN EUNATCH EUSERS EWOULDBLOCK EXDEV EXFULL errno error_t"
      " program_invocation_name program_invocation_short_name"
      " " },
    { "<pthread.h>",
      " clone cpu_set_t getcpu pthread_atfork pthread_attr_destroy pthread_attr_getaffinity_np"
      " pthread_attr_getdetachstate pthread_attr_getguardsize pthread_attr_getinheritsched"
      " pthread_attr_getschedparam pthread_attr_getschedpolicy pthread_attr_getscope"
      " pthread_attr_getsigmask_np pthread_attr_getstack pthread_attr_getstackaddr"
      " pthread_attr_getstacksize pthread_attr_init pthread_attr_setaffinity_np"
      " pthread_attr_setdetachstate pthread_attr_setguardsize pthread_attr_setinheritsched"
      " pthread_attr_setschedparam pthread_attr_setschedpolicy pthread_attr_setscope"
      " pthread_attr_setsigmask_np pthread_attr_setstack pthread_attr_setstackaddr"
      " pthread_attr_setstacksize pthread_barrier_destroy pthread_barrier_init"
      " pthread_barrier_wait pthread_barrierattr_destroy pthread_barrierattr_getpshared"
      " pthread_barrierattr_init pthread_barrierattr_setpshared pthread_cancel"
      " pthread_cleanup_pop pthread_cleanup_pop_restore_np pthread_cleanup_push"
      " pthread_cleanup_push_defer_np pthread_clockjoin_np pthread_cond_broadcast"
      " pthread_cond_clockwait pthread_cond_destroy pthread_cond_init pthread_cond_signal"
      " pthread_cond_timedwait pthread_cond_wait pthread_condattr_destroy"
      " pthread_condattr_getclock pthread_condattr_getpshared pthread_condattr_init"
      " pthread_condattr_setclock pthread_condattr_setpshared pthread_create pthread_detach"
      " pthread_equal pthread_exit pthread_getaffinity_np pthread_getattr_default_np"
      " pthread_getattr_np pthread_getconcurrency pthread_getcpuclockid pthread_getname_np"
      " pthread_getschedparam pthread_getspecific pthread_join pthread_key_create"
      " pthread_key_delete pthread_mutex_clocklock pthread_mutex_consistent"
      " pthread_mutex_consistent_np pthread_mutex_destroy pthread_mutex_getprioceiling"
      " pthread_mutex_init pthread_mutex_lock pthread_mutex_setprioceiling"
      " pthread_mutex_timedlock pthread_mutex_trylock pthread_mutex_unlock"
      " pthread_mutexattr_destroy pthread_mutexattr_getprioceiling"
      " pthread_mutexattr_getprotocol pthread_mutexattr_getpshared pthread_mutexattr_getrobust"
      " pthread_mutexattr_getrobust_np pthread_mutexattr_gettype pthread_mutexattr_init"
      " pthread_mutexattr_setprioceiling pthread_mutexattr_setprotocol"
      " pthread_mutexattr_setpshared pthread_mutexattr_setrobust"
      " pthread_mutexattr_setrobust_np pthread_mutexattr_settype pthread_once"
      " pthread_rwlock_clockrdlock pthread_rwlock_clockwrlock pthread_rwlock_destroy"
      " pthread_rwlock_init pthread_rwlock_rdlock pthread_rwlock_timedrdlock"
      " pthread_rwlock_timedwrlock pthread_rwlock_tryrdlock pthread_rwlock_trywrlock"
      " pthread_rwlock_unlock pthread_rwlock_wrlock pthread_rwlockattr_destroy"
      " pthread_rwlockattr_getkind_np pthread_rwlockattr_getpshared pthread_rwlockattr_init"
      " pthread_rwlockattr_setkind_np pthread_rwlockattr_setpshared pthread_self"
      " pthread_setaffinity_np pthread_setattr_default_np pthread_setcancelstate"
      " pthread_setcanceltype pthread_setconcurrency pthread_setname_np pthread_setschedparam"
      " pthread_setschedprio pthread_setspecific pthread_spin_destroy pthread_spin_init"
      " pthread_spin_lock pthread_spin_trylock pthread_spin_unlock pthread_testcancel"
      " pthread_timedjoin_np pthread_tryjoin_np pthread_yield sched_get_priority_max"
      " sched_get_priority_min sched_getaffinity sched_getcpu sched_getparam"
      " sched_getscheduler sched_priority sched_rr_get_interval sched_setaffinity"
      " sched_setparam sched_setscheduler sched_yield setns unshare"
      " " },
    { "<threads.h>",
      " ONCE_FLAG_INIT call_once cnd_broadcast cnd_destroy cnd_init cnd_signal cnd_t"
      " cnd_timedwait cnd_wait mtx_destroy mtx_init mtx_lock mtx_plain mtx_recursive mtx_t"
      " mtx_timed mtx_timedlock mtx_trylock mtx_unlock once_flag thrd_busy thrd_create"
      " thrd_current thrd_detach thrd_equal thrd_error thrd_exit thrd_join thrd_nomem"
      " thrd_sleep thrd_start_t thrd_success thrd_t thrd_timedout thrd_yield thread_local"
      " tss_create tss_delete tss_dtor_t tss_get tss_set tss_t"
      " " },
    { "<sys/stat.h>",
      " chmod fchmod fchmodat fstat fstat64 fstatat fstatat64 futimens getumask lchmod lstat"
      " lstat64 mkdir mkdirat mkfifo mkfifoat mknod mknodat st_atime st_ctime st_mtime stat"
      " stat64 statx umask utimensat"
      " " },
    { "<fcntl.h>",
      " creat creat64 fallocate fallocate64 fcntl fcntl64 name_to_handle_at open open64"
      " open_by_handle_at openat openat64 posix_fadvise posix_fadvise64 posix_fallocate"
      " posix_fallocate64 readahead splice sync_file_range tee vmsplice"
      " " },
    { "<dirent.h>",
      " alphasort alphasort64 closedir d_fileno dirfd fdopendir getdents64 getdirentries"
      " getdirentries64 opendir readdir readdir64 readdir64_r readdir_r rewinddir scandir"
      " scandir64 scandirat scandirat64 seekdir telldir versionsort versionsort64"
      " " },
    { "<sys/socket.h>",
      " AF_DECnet PF_DECnet accept accept4 bind connect getpeername getsockname getsockopt"
      " isfdtype listen recv recvfrom recvmmsg recvmsg sa_family_t send sendmmsg sendmsg"
      " sendto setsockopt shutdown sockatmark socket socketpair"
      " " },
};
/* clang-format on */

#endif
