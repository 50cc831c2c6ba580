"""Cut the bundled fonts out of Debian's packages (a maintainer's tool).

To rerun, on a machine with `fonts-noto-cjk` and `fonts-lmodern`::

    python lib/lightbox/report/fonts/build.py

It writes the two CJK weights and the math font beside itself, and prints their
sizes; the licences beside them are copies of the upstream texts. The choice of
characters is Big5 level 1 (5,401 ideographs), its symbols, Latin, Greek and the
mathematical operators that text and axis labels use, the commoner part of Big5
level 2, and `EXTRA`.
"""

from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTCollection, TTFont

HERE = Path(__file__).resolve().parents[1] / "lightbox/display/fonts"
NOTO = Path("/usr/share/fonts/opentype/noto")
LATIN_MODERN = Path(
    "/usr/share/texmf/fonts/opentype/public/lm-math/latinmodern-math.otf"
)
FAMILY = "Noto Sans CJK TC"
LIMIT_BYTES = 8_000_000

# Beyond Big5 level 1: characters of given and family names, of medicine and
# chemistry, of Hong Kong and of everyday spelling variants.
EXTRA = (
    "熵閾"  # of statistics
    "堃瑄筠晞喆瑀祐宸彥翊昀妍婕妤玟珮瑜璿瑩瑋瑤瑾璇璟琬琰琳琪琦琛琮珊珈珣珩玥玨"
    "彣彧祺禎禕禔禛禹秉穎筑筱箴綉綺緁縈羿翃翎翔翰耘聿芃芊芮芷芸苡茜茹荃荷莘莛莞"
    "莓菀菁菡萱葳葶蒨蓁蓓蓉蔚蕎蕙薇薰藍藝蘊蘅衍裬褘詠詩詡諠諭謙譽豫賢赫軒輊迦逸"
    "遠邑邦郁郡鄢鄭釧鈞鈺鉉鉅銓銘鋆鋐錡錚錞鍇鎧鎮鏞鑫閎閔闓阡陞霈霏霓靖韋韶韻頎"
    "頡顗飛馡馥駿騏騰驊驛鬯鳶鴻鵬鶯麒麟黛齊龢"
    "仉伃伶佑佟佩佳侑侖侗侞俐俞倢倩倪偀偲傑僑儀允冀冠凱凱劭勛勳勻卉卲厲叡吟呂呈"
    "哲唐喬嘉圻坤垚垣埕培堯塏塘墉壬奕妏妘姁姍姞姮姵娜娟娣娥娸婉婭婷媁媃媗媛媞嫆"
    "嫈嫚嫣嫻嬅嬋嬛孟孜宇宓宛宜宥宬家容寀寧尹岑岱岳峋峒峮峰峻崑崙崧嵐嵩巧巽幀庭"
    "廷弈弘彗彤彬彭徵心忻怡恆恩恬恭悅悠悰惇惟惠愉愛慈慧憲懋懿戎成揚敦斌旂旅旭旻"
    "昂昇昊昌明昕昜昱昶晁晉晏晨晟晢晴智暄暉暐暘暟曄曜曦朋朔本杉杋杏杰松枋柏柔柚"
    "柘柯柳栢栩桂桐桓桔桀梓梧梵棋棟棠棣森楓楚楠楷業榆榛榮槿樂樺橙橞檍檀櫻欣欽歆"
    "毓汎汝江沁沂沅沈沐沛沚沛沴泓泠法波泳泱洋洛洧洹津浚浠浤浩海涓涵淇淑淓淞淨淮"
    "淯清淳淵渝渟渘渲渼湄湘源溎溥溫滎滄漢漩漪潁潔澄澐澔濂濠濬瀅瀚灝炘炫炯炳烜烝"
    "烽焄焌焜焱煇煊煒煜煥煬熙熠熹燁燊燕燦燿爵牧牟犖珅珉珞珥珽玠玹琁琅琇琍琨琯琲"
    "瑆瑗瑢瑭瑮璁璉璐璞璠璥璦璨璵瓅瓊瓏甄甫畇畯皓皖皛盈盛盟眙睎睿瞿硯碩磊礽祁祈"
    "祤祧祿稚稜竑竣竹笙筌筵箖篁篤簡紀純紜紘紹絜絢絮綸緗緯緹縝繹繽罡羚羽翌翟耀"
    "翾耿聆聖聰肇胤胥舒舜芝芳芯芙芬苑若英茆茗茵荀荏莉莎莫莊菱菲菊華菘萍萌葉葛"
    "董葵蒔蒲蓮蕓蕭薛薪藜蘋蘭虞虹蝶衡裕褚訢詒詣詮誼諄諮諺謹讚豐貝貞賀賴赬趙跡"
    "躍軍輔輝辰辛迎追逵邵郝鄒酈醇釗釉鈴鉑鉦銀銥鋒錦鍾鎔鐸鑑閑闕阮陶雋雍雙雯靈靜"
    "顏顥風馮馨駱驥鳳麗黎黠龍廖涂凃瞫佘俶逯鄺邱"
    "酶肽胺羥醯嘌呤嘧啶胱麩胍苷醣醚醛酮酚羧烷烯炔苯吲哚噻唑吡嗪喹啉硼砷硒碘銦鉈鋇"
    "鎵釓鎝釔鈷鈾鈽鉍氙氡氚氘氖氬胚胝胼腆腑腓腔腱腭膀膈膣膽臏臟臚瘀瘍瘓瘢瘧瘰癆"
    "癇癒癔癖癤癥癬癰癱疝疣疥疸疽疱痂痔痙痢痣痰痲痹痿瘋瘠瘡瘤瘩皰皸瞼睫眶睛瞳骺"
    "骸骼髂髁髖髕髓顱顳顴額顎頜頦頸頷鼾齲齦齶齔齒囊囟嚥咳咯喘喉噁嘔嗅嗜嗽唾吮吻"
    "哮哽喙肛肘肓肋肌肝肢肱肺肩胃胎胰胸脛脾腎腋腸腹膝膚膜膿膠臀臂臼蛛蛋蟎蠕螺痘"
    "絨絲縱纖纏羸蕁薦藥虱蝕衄褥襯訣譫踝踵跗蹠蹼軀軟輸闌隔雌雄霉鞏顆顫餿騷驚鬆"
    "鱗麻黏黴鼻齡疫疹疼疾病症痊痕痘痛瘁瘦瘟療癌癢眩眷瞎矽砂矯碟磁穿竇篩粥糜紊絞"
    "啫哋嘅咗嚟冇咁唔喺佢嘢啱攞揸嗰嚿㗎喎啩嘥"
    "裏峯羣綫汚牀麪粧衞喫着擡啓羗朶栢脚説爲敎產強黃戶內吳衆緖鄕晚兌稅閱銳銳溫"
    "埗埔涌邨圳漖磡垻嵙崁堀畬厝坔庄圡峯"
    "乂乜仄丐卞夭尹尻弁弔弗扎弍彳攴歹殳毋氐爿牙瓜瓦瓩甬疋癶砼碁箇粍糎罒耂莧"
    "匱匯叡嗨嚐嚮囈囪圞埃埤堤塭墘奧姪妳嬤孃宄寮屌峇嶼巿廁廈廚忐忑怱惲慄懍戥扺抎"
    "拚拋挲捱掙掟揪揩搧搵摺撚撳擋擰攢攪斿旮旯朓朕枳栓栻桄桉梂棶椏榔樁樑橢檸檬櫈"
    "歐歪殭氹汆汔沌泄泩洩涮淌湊溝溢滙滷漬濾瀝灑炆炸烤焗煲熬燉燙爍爛牠狲猢珐琺瓷"
    "痠痺皂皴眨瞄瞅矇碇碴磅磚祂穌窿竅簸籤粿糉糬紮紥綑縋繃繫罅罈罩羔羹耙耽聘膩臉舔"
    "舖艙芒芋芥芹苔茄茸荔莖菠葱蒜蓋蔗蔥蕃蕉薑薯蘑蘿蚊蛤蜆蜢蝦蟑蟹蠔蠟蠱袪裱褪襪覓"
    "訊詢誒諧謊譁譏贅趴跆跩踹蹭躉輾辯迢逗遛邁酥醃醬釀鈎鈣鈸鉀鉋鉗鉻銻鋁鋅鋰錳鎂鎢"
    "鎳鏢鏽鐳鑽閃陀雹霧靦靶鞦韆頹顛飪餃餅餡饅饌馴駁騙髒鬍鬱魷鮑鮪鮭鯊鰓鰻鱷鴨鵝"
    "鷗麩黝黯鼠齁齪齷龐龜"
)


def standard(encoding: str, first: int = 0x81, last: int = 0xFE) -> set[int]:
    """The code points of a double-byte character set, by its lead bytes."""
    points = set()
    for lead in range(first, last + 1):
        for trail in range(0x40, 0xFF):
            try:
                points |= {ord(c) for c in bytes((lead, trail)).decode(encoding)}
            except UnicodeDecodeError:
                continue
    return points


def characters() -> set[int]:
    """The code points that the bundled CJK fonts hold, if the source has them."""
    points = {ord(c) for c in EXTRA} | standard("big5", 0xA1, 0xC6)
    # Of the rarer half of Big5, what the standards of the neighbours also hold:
    # no list of frequencies is at hand, and common characters are common there.
    korea, japan, mainland = map(standard, ("euc_kr", "shift_jis", "gb2312"))
    points |= standard("big5", 0xC9, 0xF9) & (korea | (japan & mainland))
    for first, last in (
        (0x20, 0x17F),  # Latin
        (0x2C6, 0x2DD),  # accents
        (0x370, 0x3FF),  # Greek
        (0x2010, 0x205E),  # punctuation
        (0x2070, 0x209C),  # superscripts and subscripts
        (0x20AC, 0x20AC),
        (0x2100, 0x214F),  # letter-like signs, units
        (0x2190, 0x21FF),  # arrows
        (0x2200, 0x22FF),  # mathematical operators
        (0x2460, 0x24FF),  # circled numbers
        (0x2500, 0x25FF),  # box drawing, geometric shapes
        (0x2605, 0x2606),
        (0x2713, 0x2717),
        (0x3000, 0x303F),  # CJK punctuation
        (0x3105, 0x312F),  # bopomofo
        (0xFF00, 0xFFEF),  # full-width forms
    ):
        points |= set(range(first, last + 1))
    # Kana and hangul half-widths are large and serve no Chinese report.
    return points - set(range(0xFF61, 0xFFDD))


def cut_cjk(weight: str) -> Path:
    """Cut one weight of the Traditional Chinese face to `characters()`."""
    collection = TTCollection(NOTO / f"NotoSansCJK-{weight}.ttc")
    font = next(f for f in collection if f["name"].getDebugName(1).startswith(FAMILY))
    options = subset.Options()
    options.hinting = False
    options.desubroutinize = False
    options.notdef_outline = True
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14, 16, 17]
    # kern and mark serve Latin; the vertical and alternate forms are not used.
    options.layout_features = ["kern", "ccmp", "locl", "mark", "mkmk", "calt"]
    options.drop_tables += ["BASE", "VORG", "vhea", "vmtx", "DSIG"]
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=characters())
    cutter.subset(font)
    path = HERE / f"NotoSansCJKtc-{weight}.otf"
    subset.save_font(font, str(path), options)
    return path


def pack_math() -> Path:
    """Pack Latin Modern Math, unchanged, for the web."""
    font = TTFont(LATIN_MODERN)
    font.flavor = "woff2"
    path = HERE / "latinmodern-math.woff2"
    font.save(path)
    return path


def main() -> None:
    """Write the three fonts and check their size."""
    paths = [cut_cjk("Regular"), cut_cjk("Bold"), pack_math()]
    for path in paths:
        print(f"{path.stat().st_size:>10,}  {path.name}")
    total = sum(path.stat().st_size for path in paths)
    print(f"{total:>10,}  in all")
    if total > LIMIT_BYTES:
        raise SystemExit(f"more than {LIMIT_BYTES:,} bytes: shorten EXTRA")


if __name__ == "__main__":
    main()
